/* job: asks, and asks less often the longer it takes. */
#include "cli/job.h"

#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/record.h"
#include "cli/signals.h"
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

/* Sleep; false if a signal came. */
static bool wait_on(int signal_fd, int pause_ms)
{
    struct pollfd ready = {.fd = signal_fd, .events = POLLIN};
    (void)poll(&ready, 1, pause_ms);
    return signals_take(signal_fd) == 0;
}

/* One look; *ret_over when it is done. */
static int look(struct call *call, uint64_t job, const char *what, uint64_t *ret_touched, bool *ret_over)
{
    struct shunt_value *state = NULL;
    struct shunt_error err = {0};
    if (shunt_job_show(call->shunt, job, call->timeout_ms, &state, &err)) {
        int code = call_failed(call, &err);
        call_complain("no answer about job %" PRIu64 ": it goes on at the broker", job);
        return code;
    }
    const char *name = record_text(state, "state");
    *ret_over = name && strcmp(name, "done") == 0;
    *ret_touched = (uint64_t)record_integer(state, "done");
    show_progress(call, what, *ret_touched, (uint64_t)record_integer(state, "total"), *ret_over);
    shunt_value_free(state);
    return EXIT_OK;
}

int job_follow(struct call *call, uint64_t job, const char *what, uint64_t *ret_done)
{
    int pause_ms = PAUSE_MS_MIN;
    uint64_t touched = 0;
    bool over = job == 0;
    int code = EXIT_OK;
    int signal_fd = signals_open();
    while (!over && code == EXIT_OK) {
        code = look(call, job, what, &touched, &over);
        if (over || code)
            break;
        if (!wait_on(signal_fd, pause_ms)) {
            call_complain("job %" PRIu64 " goes on, %" PRIu64 " %s so far: `shunt job cancel %" PRIu64
                          "` stops it, `shunt job show %" PRIu64 "` shows its progress",
                          job, touched, what, job, job);
            code = EXIT_PARTLY;
        }
        pause_ms = pause_ms * 2 < PAUSE_MS_MAX ? pause_ms * 2 : PAUSE_MS_MAX;
    }
    if (signal_fd >= 0)
        signals_close(signal_fd);
    if (code == EXIT_OK && job != 0 && ret_done)
        *ret_done = touched;
    return code;
}
