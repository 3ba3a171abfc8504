/* job: asks, and asks less often the longer it takes. */
#include "cli/job.h"

#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/columns.h"
#include "cli/record.h"
#include "cli/signals.h"
#include "client/shunt.h"

#define PAUSE_MS_MIN 5
#define PAUSE_MS_MAX 500

#define BAR_COLUMNS      20
#define TEXT_BYTES       128
#define ERASE_TO_THE_END "\x1b[K" /* of the line: there may have been more before */

/* What is known of the job, and of what was said about it. */
struct progress {
    const struct call *call;
    const char *what;
    bool outcomes; /* wait for them, too */
    uint64_t done, total;
    bool over;
    bool begun;     /* by us, so that NOT_FOUND means that one may not look at it … */
    bool hidden;    /* … as it was */
    bool in_bar;    /* the line of the terminal is a bar that is not ended */
    bool endless;   /* the broker's own, or it removes what was deleted: nobody can stop it */
    char phase[16]; /* that was told last */
};

static bool is_terminal(const struct progress *p)
{
    return !p->call->quiet && isatty(STDERR_FILENO);
}

/* How the messages of a redrive have fared so far; empty of other jobs. */
static void outcomes_text(char text[TEXT_BYTES], const struct shunt_value *job)
{
    const struct shunt_value *outcomes = shunt_value_get(job, "outcomes");
    text[0] = '\0';
    if (!outcomes || shunt_value_type(outcomes) != SHUNT_MAP)
        return;
    (void)snprintf(text, TEXT_BYTES, ", %" PRId64 " acked, %" PRId64 " failed, %" PRId64 " pending (%s)",
                   record_integer(outcomes, "acked"),
                   record_integer(outcomes, "failed_same") + record_integer(outcomes, "failed_other"),
                   record_integer(outcomes, "pending"), record_text(job, "phase"));
}

/* `redriven [#####     ] 12 of 40, 10 acked, 1 failed, 1 pending (ramp)`. It is written over, so it must be one line of the
 * terminal: what does not fit is left out, first the bar. */
static void show_bar(struct progress *p, const struct shunt_value *job, bool last)
{
    char bar[BAR_COLUMNS + 1], counts[TEXT_BYTES], outcomes[TEXT_BYTES];
    size_t columns = columns_of_terminal(stderr);
    size_t full =
        p->total ? (size_t)(p->done < p->total ? p->done * BAR_COLUMNS / p->total : BAR_COLUMNS) : 0;
    memset(bar, ' ', BAR_COLUMNS);
    memset(bar, '#', full);
    bar[BAR_COLUMNS] = '\0';
    (void)snprintf(counts, sizeof counts, "%" PRIu64 " of %" PRIu64, p->done, p->total);
    outcomes_text(outcomes, job);
    size_t least = strlen(p->what) + 1 + strlen(counts), more = strlen(outcomes);
    bool with_bar = least + more + BAR_COLUMNS + 3 < columns;
    (void)fprintf(stderr, "\r%s ", p->what);
    if (with_bar)
        (void)fprintf(stderr, "[%s] ", bar);
    (void)fprintf(stderr, "%s%s" ERASE_TO_THE_END "%s", counts, least + more < columns ? outcomes : "",
                  last ? "\n" : "");
    (void)fflush(stderr);
    p->in_bar = !last;
}

/* Before anything else is said. */
static void end_bar(struct progress *p)
{
    if (p->in_bar)
        (void)fputc('\n', stderr);
    p->in_bar = false;
}

/* Where nobody sees a bar: a line when a redrive begins to wait for something else. */
static void tell_phase(struct progress *p, const struct shunt_value *job)
{
    const char *phase = record_text(job, "phase");
    bool waits =
        phase && (strcmp(phase, "canary") == 0 || strcmp(phase, "paused") == 0 || strcmp(phase, "held") == 0);
    if (!phase || strcmp(phase, p->phase) == 0)
        return;
    (void)snprintf(p->phase, sizeof p->phase, "%s", phase);
    if (waits || strcmp(phase, "ramp") == 0) {
        call_note(p->call, "job %" PRId64 ": %s, %" PRIu64 " of %" PRIu64 " %s", record_integer(job, "job"),
                  strcmp(phase, "canary") == 0 ? "waits for the outcome of the canary" : phase, p->done,
                  p->total, p->what);
    }
}

/* What goes on when the one who watches leaves. */
static void tell_left(struct progress *p, uint64_t job)
{
    char stops[64];
    (void)snprintf(stops, sizeof stops, "`shunt job cancel %" PRIu64 "` stops it", job);
    end_bar(p);
    call_complain("job %" PRIu64 " goes on, %" PRIu64 " %s so far: %s, `shunt job show %" PRIu64
                  "` shows its progress",
                  job, p->done, p->what, p->endless ? "it cannot be stopped" : stops, job);
}

static bool is_over(const struct progress *p, const struct shunt_value *job)
{
    const char *state = record_text(job, "state"), *phase = record_text(job, "phase");
    return state && strcmp(state, "done") == 0 && !(p->outcomes && phase && strcmp(phase, "draining") == 0);
}

/* Sleep; false if a signal came. */
static bool wait_on(int signal_fd, int pause_ms)
{
    struct pollfd ready = {.fd = signal_fd, .events = POLLIN};
    (void)poll(&ready, 1, pause_ms);
    return signals_take(signal_fd) == 0;
}

/* One look. Returns an exit code. */
static int look(struct call *call, uint64_t job, struct progress *p)
{
    struct shunt_value *state = NULL;
    struct shunt_error err = {0};
    int code = EXIT_OK;
    if (shunt_job_show(call->shunt, job, call->timeout_ms, &state, &err)) {
        end_bar(p);
        if (err.code == SHUNT_NOT_FOUND && p->begun) {
            call_note(call, "job %" PRIu64 " was begun; how it goes on shows only with the right to look",
                      job);
            p->over = p->hidden = true;
            return EXIT_OK;
        }
        code = call_failed(call, &err);
        call_complain("no answer about job %" PRIu64 ": it goes on at the broker", job);
        return code;
    }
    const char *kind = record_text(state, "kind");
    p->endless = kind && (strcmp(kind, "drop") == 0 || strcmp(kind, "causes") == 0);
    p->over = is_over(p, state);
    p->done = (uint64_t)record_integer(state, "done");
    p->total = (uint64_t)record_integer(state, "total");
    if (is_terminal(p))
        show_bar(p, state, p->over);
    else
        tell_phase(p, state);
    const char *why = record_text(state, "why");
    if (p->over && why) {
        call_complain("job %" PRIu64 " stopped by itself: %s", job, why);
        code = EXIT_PARTLY;
    }
    shunt_value_free(state);
    return code;
}

int job_follow(struct call *call, uint64_t job, const char *what, bool outcomes, uint64_t *ret_done)
{
    struct progress p = {
        .call = call, .what = what, .outcomes = outcomes, .over = job == 0, .begun = ret_done && *ret_done};
    int pause_ms = PAUSE_MS_MIN, code = EXIT_OK;
    int signal_fd = signals_open();
    while (!p.over && code == EXIT_OK) {
        code = look(call, job, &p);
        if (p.over || code)
            break;
        if (!wait_on(signal_fd, pause_ms)) {
            tell_left(&p, job);
            code = EXIT_PARTLY;
        }
        pause_ms = pause_ms * 2 < PAUSE_MS_MAX ? pause_ms * 2 : PAUSE_MS_MAX;
    }
    if (signal_fd >= 0)
        signals_close(signal_fd);
    if (ret_done && !p.hidden)
        *ret_done = p.over ? p.done : 0;
    return code;
}
