/* job: asks, and asks less often the longer it takes. */
#include "cli/job.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/record.h"
#include "client/shunt.h"

#define PAUSE_MS_MIN 5
#define PAUSE_MS_MAX 500

static void show_progress(const struct call *call, const char *what, uint64_t done, uint64_t total, bool last)
{
    if (call->quiet || !isatty(STDERR_FILENO))
        return;
    (void)fprintf(stderr, "\r%s %" PRIu64 " of %" PRIu64 "%s", what, done, total, last ? "\n" : "");
    (void)fflush(stderr);
}

int job_follow(struct call *call, uint64_t job, const char *what, uint64_t *ret_done)
{
    int pause_ms = PAUSE_MS_MIN;
    while (job != 0) {
        struct shunt_value *state = NULL;
        struct shunt_error err = {0};
        if (shunt_job_show(call->shunt, job, call->timeout_ms, &state, &err)) {
            int code = call_failed(call, &err);
            call_complain("job %" PRIu64 " goes on without us", job);
            return code;
        }
        const char *name = record_text(state, "state");
        bool done = name && strcmp(name, "done") == 0;
        uint64_t touched = (uint64_t)record_integer(state, "done");
        show_progress(call, what, touched, (uint64_t)record_integer(state, "total"), done);
        shunt_value_free(state);
        if (done && ret_done)
            *ret_done = touched;
        if (done)
            break;
        (void)poll(NULL, 0, pause_ms);
        pause_ms = pause_ms * 2 < PAUSE_MS_MAX ? pause_ms * 2 : PAUSE_MS_MAX;
    }
    return EXIT_OK;
}
