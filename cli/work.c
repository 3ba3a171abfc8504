/* work: runs a command for each message, at most --jobs at a time. shunt_next() marks the message that it returns as
 * started, so it is called only when a command can begin with one at once.
 *
 * After a first SIGTERM, SIGINT or SIGHUP no more messages are taken; running commands may finish, or die of the
 * same signal if they got it too, within --stop-timeout. A second SIGTERM or SIGINT kills them. Messages of
 * commands that a stop ended go back uncharged. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/magic.h"
#include "cli/call.h"
#include "cli/command.h"
#include "cli/confine.h"
#include "cli/login.h"
#include "cli/program.h"
#include "cli/reaper.h"
#include "cli/signals.h"
#include "cli/sink.h"
#include "cli/work.h"
#include "cli/work_broker.h"
#include "cli/work_identity.h"
#include "cli/work_idle.h"
#include "cli/work_pool.h"
#include "cli/work_resolve.h"
#include "client/shunt.h"

#define OTHER_POLLS 4
/* Less would not do to load a program. */
#define MEMORY_MIN       "1MiB"
#define MEMORY_BYTES_MIN (1024 * 1024)
#define PREFETCH_BYTES   "64MiB"
/* Messages fetched for each standing command: it waits for nothing while answers become durable. */
#define PREFETCH_STANDING 32
#define RECONNECT_LOOK_MS 1000
/* While all standing commands are busy nothing is needed of the broker, so what it says and what it is told wait this
 * long: one read and one write for many short messages. */
#define PROCESS_MS         2
#define MARK_TIME_STANDING "2ms"

struct work {
    struct call *call;
    struct work_pool pool;
    struct work_idle idle;
    struct sink out;
    struct sink err;
    struct pollfd *rows; /* the pool's, then OTHER_POLLS: the broker's, the signals', the sinks' */
    int signal_fd;
    int signals;             /* how many came */
    int64_t stop_timeout_ms; /* 0: none */
    bool stopping;
    bool reaps; /* orphans are given to us */
    bool connected;
    bool takes_on;         /* more may be there to be taken */
    int64_t process_at_ms; /* when the broker is heard at the latest, though nothing is needed of it */
    bool signaled;         /* a signal may be there */
    int code;
};

/* ---- stopping */

static void stop(struct work *w)
{
    struct shunt_error err = {0};
    if (w->stopping)
        return;
    w->stopping = true;
    if (shunt_credit(w->pool.consumer, 0, 0, &err))
        (void)call_failed(w->call, &err); /* what comes on top is given back at the end */
}

static void stop_with(struct work *w, int code)
{
    if (w->code == EXIT_OK)
        w->code = code;
    stop(w);
}

static void hear_signals(struct work *w)
{
    int signal = 0;
    while ((signal = signals_take(w->signal_fd)) != 0) {
        /* When a terminal goes, both kernel and shell say so: together that is one wish to stop. */
        w->signals = signal == SIGHUP && w->signals ? w->signals : w->signals + 1;
        if (w->signals == 1 && w->pool.busy) {
            call_note(w->call, "stopping: waiting for %zu running %s (a second signal kills)", w->pool.busy,
                      call_plural(w->pool.busy, "command", "commands"));
        }
        if (w->signals >= 2) {
            work_pool_kill(&w->pool);
            w->code = w->code ? w->code : EXIT_FAILED;
        } else {
            work_pool_stop(&w->pool, w->stop_timeout_ms ? clock_deadline(w->stop_timeout_ms) : CLOCK_NEVER);
        }
        stop(w);
    }
}

/* ---- taking */

/* Start commands while there are both messages and free slots. To start one takes a while: those that run
 * have their turn in between. */
static void take(struct work *w)
{
    int64_t begin_ms = clock_mono_ms();
    w->takes_on = false;
    while (!w->stopping && work_pool_takes(&w->pool)) {
        if (clock_mono_ms() - begin_ms >= WORK_TURN_MS) {
            w->takes_on = true;
            return;
        }
        struct shunt_error err = {0};
        struct shunt_delivery *delivery = NULL;
        int code = shunt_next(w->pool.consumer, 0, &delivery, &err);
        if (code == SHUNT_EMPTY || code == SHUNT_TIMEOUT || code == SHUNT_UNREACHABLE ||
            code == SHUNT_DISCONNECTED)
            return; /* the library connects again by itself */
        if (code) {
            stop_with(w, call_failed(w->call, &err));
            return;
        }
        work_pool_start(&w->pool, delivery);
        if (w->pool.cannot_run)
            stop_with(w, EXIT_FAILED);
    }
}

static bool is_idle(const struct work *w)
{
    return !w->stopping && w->pool.busy == 0 && w->pool.unanswered == 0;
}

/* Nothing in hand: ask whether anything will come, if it is time to. */
static void look_idle(struct work *w)
{
    int code = EXIT_OK;
    if (!is_idle(w)) {
        work_idle_busy(&w->idle);
        return;
    }
    switch (work_idle_look(&w->idle, w->connected, &code)) {
    case IDLE_GO_ON:
        take(w); /* what arrived together with an answer wakes nobody any more */
        break;
    case IDLE_DRAINED:
        stop(w);
        break;
    case IDLE_PAUSED:
        stop_with(w, EXIT_NOT_NOW);
        break;
    case IDLE_FAILED:
        stop_with(w, code);
        break;
    }
}

/* ---- the loop */

static bool may_let_broker_wait(const struct work *w)
{
    return w->pool.standing && w->connected && !w->stopping && !work_pool_takes(&w->pool) &&
           clock_mono_ms() < w->process_at_ms;
}

static void wait_for_something(struct work *w)
{
    size_t pool_rows = w->pool.slots_count * CHILD_POLLS;
    int64_t wake_at_ms = work_pool_poll(&w->pool, w->rows);
    w->rows[pool_rows] = (struct pollfd){.fd = shunt_fd(w->call->shunt), .events = POLLIN};
    w->rows[pool_rows + 1] = (struct pollfd){.fd = w->signal_fd, .events = POLLIN};
    w->rows[pool_rows + 2] = sink_poll(&w->out);
    w->rows[pool_rows + 3] = sink_poll(&w->err);
    if (may_let_broker_wait(w)) {
        w->rows[pool_rows].fd = -1;
        wake_at_ms = w->process_at_ms < wake_at_ms ? w->process_at_ms : wake_at_ms;
    }
    if (is_idle(w) && w->idle.look_at_ms < wake_at_ms)
        wake_at_ms = w->idle.look_at_ms;
    if (!w->connected && clock_deadline(RECONNECT_LOOK_MS) < wake_at_ms)
        wake_at_ms = clock_deadline(RECONNECT_LOOK_MS);
    if (w->takes_on)
        wake_at_ms = 0;
    int count = poll(w->rows, pool_rows + OTHER_POLLS, clock_poll_ms(wake_at_ms));
    for (size_t i = 0; count < 0 && i < pool_rows + OTHER_POLLS; i++)
        w->rows[i].revents = 0; /* interrupted: nothing is known to be ready */
    w->signaled = count < 0 || w->rows[pool_rows + 1].revents != 0;
}

static void tell_dropped(struct sink *sink, const char *name)
{
    uint64_t lines = sink_take_dropped(sink);
    if (lines) {
        call_complain("%" PRIu64 " %s dropped because nothing read %s", lines,
                      call_plural(lines, "line was", "lines were"), name);
    }
}

static void write_on(struct work *w)
{
    sink_pump(&w->out);
    sink_pump(&w->err);
    tell_dropped(&w->out, "standard output");
    tell_dropped(&w->err, "standard error");
}

static bool is_guard(const void *context, pid_t pid)
{
    return work_pool_has_guard(magic_of(context, work_pool, WORK_POOL_MAGIC), pid);
}

static void work_loop(struct work *w)
{
    struct shunt_error err = {0};
    while (!w->stopping || work_pool_is_active(&w->pool)) {
        if (!may_let_broker_wait(w)) {
            w->process_at_ms = clock_deadline(PROCESS_MS);
            if (shunt_process(w->call->shunt, &err)) {
                stop_with(w, call_failed(w->call, &err));
                if (!w->pool.busy)
                    break;
            }
        }
        if (w->stopping)
            work_pool_leave(&w->pool);
        call_tell_connection(w->call, &w->connected);
        take(w);
        look_idle(w);
        if (w->stopping && !work_pool_is_active(&w->pool))
            break;
        wait_for_something(w);
        if (w->signaled)
            hear_signals(w);
        write_on(w);
        work_pool_turn(&w->pool, w->rows);
        if (w->pool.standing)
            take(w); /* before the broker is told of the answers: one write may tell it both */
        if (w->pool.cannot_run)
            stop_with(w, EXIT_FAILED);
        if (w->reaps)
            reaper_turn(is_guard, &w->pool);
        if (w->out.broken && !w->stopping) {
            call_complain("cannot write to standard output: stopping");
            stop_with(w, EXIT_FAILED);
        }
    }
}

/* ---- the command */

static int subscribe(struct work *w)
{
    char number[24];
    struct shunt_error err = {0};
    struct shunt_options *options = shunt_options_new();
    size_t each = w->pool.standing ? PREFETCH_STANDING : 1;
    int64_t prefetch = options_number(&w->call->options, "prefetch", (int64_t)(w->pool.slots_count * each));
    (void)snprintf(number, sizeof number, "%" PRId64, prefetch);
    int code = options ? shunt_options_set(options, "prefetch", number) : SHUNT_NO_MEMORY;
    if (code == 0)
        code = shunt_options_set(options, "prefetch-bytes", PREFETCH_BYTES);
    if (code == 0) {
        code = shunt_subscribe(w->call->shunt, call_word(w->call, 0), call_group(w->call), options,
                               w->call->timeout_ms, &w->pool.consumer, &err);
    }
    shunt_options_free(options);
    err.code = code;
    return code ? call_failed(w->call, &err) : EXIT_OK;
}

/* Failures are told of the command, by its name and build. */
static int connect_as_command(struct work *w)
{
    struct call *call = w->call;
    struct work_identity own;
    work_identity_of(&own, w->pool.program, w->pool.arguments);
    const char *build = options_text(&call->options, "build", own.build);
    struct shunt_options *options = shunt_options_new();
    int code = options
                   ? shunt_options_set(options, "client", options_text(&call->options, "client", own.client))
                   : SHUNT_NO_MEMORY;
    if (code == 0 && *build)
        code = shunt_options_set(options, "build", build);
    if (code == 0 &&
        w->pool.standing) /* their commands die, not we: one mark may stand for several messages */
        code = shunt_options_set(options, "mark-time", MARK_TIME_STANDING);
    login_by_environment(call->url, options);
    if (code == 0) /* an answer is waited for as long as it takes */
        code = shunt_options_set(options, "request-timeout", "0");
    if (code) {
        struct shunt_error err = {.code = code};
        code = call_failed(call, &err);
    } else {
        code = work_broker_await(call, options, w->signal_fd, w->idle.drain ? call->timeout_ms : -1,
                                 &w->connected);
    }
    shunt_options_free(options);
    return code;
}

static int finish(struct work *w)
{
    char late[WORK_LATE_BYTES];
    struct shunt_error err = {0};
    struct call *call = w->call;
    bool lost = shunt_flush(call->shunt, call->timeout_ms, &err) != 0;
    int code = lost ? call_failed(call, &err) : EXIT_OK;
    w->code = w->code ? w->code : code;
    shunt_unsubscribe(w->pool.consumer, call->timeout_ms);
    struct shunt_value *group = lost ? NULL : work_broker_group(call); /* it would be waited for in vain */
    call_disconnect(call);
    call_note(call, "%" PRIu64 " acked, %" PRIu64 " failed %s, %" PRIu64 " rejected%s", w->pool.acked,
              w->pool.nacked, call_plural(w->pool.nacked, "attempt", "attempts"), w->pool.rejected,
              work_late_text(&w->pool, late));
    work_broker_tell_dead(call, group);
    return w->code;
}

static int work_with(struct work *w, size_t jobs)
{
    w->rows = calloc(jobs * CHILD_POLLS + OTHER_POLLS, sizeof *w->rows);
    (void)signal(
        SIGCHLD,
        SIG_DFL); /* the process that started us may have ignored it; then no end could be told from another */
    w->reaps = reaper_needed();
    w->signal_fd = w->reaps ? signals_open_with_children() : signals_open();
    if (!w->rows || w->signal_fd < 0 || !work_pool_init(&w->pool, jobs)) {
        call_complain("cannot begin: %s", strerror(errno));
        return EXIT_FAILED;
    }
    int code = connect_as_command(w);
    if (code || !w->connected)
        return code;
    code = subscribe(w);
    if (code)
        return code;
    work_loop(w);
    return finish(w);
}

static int end_output(struct work *w, int code)
{
    sink_close(&w->out);
    if (w->out.dropped) {
        call_complain("%" PRIu64 " %s dropped because nothing read standard output", w->out.dropped,
                      call_plural(w->out.dropped, "line was", "lines were"));
    }
    call_speak_to(NULL);
    sink_close(&w->err);
    return code == EXIT_OK && w->out.dropped_in_all ? EXIT_PARTLY : code;
}

static int check_options(struct call *call)
{
    const struct options *o = &call->options;
    if (options_find(o, "start-timeout") && !options_flag(o, "stream"))
        return call_misused(call, "--start-timeout goes with --stream");
    if ((options_find(o, "writable") || options_find(o, "memory")) && !options_flag(o, "confine"))
        return call_misused(call, "--writable and --memory go with --confine");
    return EXIT_OK;
}

/* Returns an exit code. */
static int confine_commands(struct call *call, struct confine *c)
{
    char why[CONFINE_WHY_BYTES];
    int64_t memory_bytes = 0;
    struct shunt_error err = {0};
    const char *writable = options_text(&call->options, "writable", NULL);
    const char *memory = options_text(&call->options, "memory", NULL);
    if (memory && (shunt_parse_size(memory, &memory_bytes, &err) || memory_bytes < MEMORY_BYTES_MIN)) {
        return call_misused(call, "--memory %.60s: %s", memory,
                            err.code ? err.text : "must be at least " MEMORY_MIN);
    }
    /* The one place where there can be temporary files. */
    if (writable && setenv("TMPDIR", writable, 1))
        return call_misused(call, "--writable %.120s: %s", writable, strerror(errno));
    if (!confine_prepare(c, writable, memory_bytes, why)) {
        call_complain("commands cannot be confined: %s", why);
        return EXIT_FAILED;
    }
    return EXIT_OK;
}

int work_run(struct call *call)
{
    char *program = NULL;
    struct confine confine = {0};
    int code = check_options(call);
    if (code)
        return code;
    int error = program_find(call->options.rest[0], &program);
    if (error) {
        call_complain("%s: %s", call->options.rest[0],
                      error == ENOENT ? "command not found" : strerror(error));
        return EXIT_USAGE;
    }
    if (options_flag(&call->options, "confine") && (code = confine_commands(call, &confine)) != EXIT_OK) {
        free(program);
        return code;
    }
    struct work w = {.call = call,
                     .pool = {.call = call,
                              .program = program,
                              .arguments = call->options.rest,
                              .timeout_ms = options_number(&call->options, "timeout", 0),
                              .standing = options_flag(&call->options, "stream"),
                              .start_ms = options_number(&call->options, "start-timeout", STREAM_START_MS),
                              .leave = options_flag(&call->options, "keep-background"),
                              .confine = confine.filter ? &confine : NULL},
                     .stop_timeout_ms = options_number(&call->options, "stop-timeout", 0),
                     .signal_fd = -1};
    work_idle_init(&w.idle, call, options_flag(&call->options, "drain"));
    code = EXIT_FAILED;
    if (sink_open(&w.out, STDOUT_FILENO) && sink_open(&w.err, STDERR_FILENO)) {
        w.pool.out = &w.out;
        w.pool.err = &w.err;
        call_speak_to(&w.err);
        code = work_with(&w, (size_t)options_number(&call->options, "jobs", 1));
    }
    code = end_output(&w, code);
    if (w.signal_fd >= 0)
        (void)close(w.signal_fd);
    work_pool_done(&w.pool);
    confine_done(&confine);
    free(w.rows);
    free(program);
    return code;
}
