/* work_child: a failed exec is told as the start's own error, so that it is never taken for the program's. */
#include "cli/work_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "cli/exit.h"
#include "cli/sink.h"

/* After the end of the process at most this much is read of what it left in a pipe, because one of its own
 * children may write on. */
#define LEFTOVER_BYTES_MAX (2u * 1024 * 1024)

#define OUTPUT_PIPE_BYTES (1024 * 1024)

enum { POLL_PROCESS, POLL_INPUT, POLL_OUTPUT, POLL_ERROR };

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* ---- starting */

/* Three pipes; `far` are the child's ends. */
struct pipes {
    int near[3];
    int far[3];
};

static void pipes_close(struct pipes *p)
{
    for (int i = 0; i < 3; i++) {
        close_fd(&p->near[i]);
        close_fd(&p->far[i]);
    }
}

static int pipes_open(struct pipes *p)
{
    *p = (struct pipes){{-1, -1, -1}, {-1, -1, -1}};
    for (int i = 0; i < 3; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC)) {
            int error = errno;
            pipes_close(p);
            return error;
        }
        p->near[i] = i == STDIN_FILENO ? ends[1] : ends[0];
        p->far[i] = i == STDIN_FILENO ? ends[0] : ends[1];
        (void)fcntl(p->near[i], F_SETFL, O_NONBLOCK); /* cannot fail on a pipe of ours */
        /* Some programs (node) make their end of a pipe non-blocking, and lose their last words when it is
         * full at the moment they die. The system may grant less room; then it stays as it is. */
        if (i != STDIN_FILENO)
            (void)fcntl(p->near[i], F_SETPIPE_SZ, OUTPUT_PIPE_BYTES);
    }
    return 0;
}

int child_start(struct child *c, const struct child_spec *spec)
{
    struct pipes pipes;
    *c = (struct child){.guard = {.line = -1}, .input_fd = -1, .output_fd = -1, .error_fd = -1};
    int error = pipes_open(&pipes);
    if (error)
        return error;
    if (!capture_init(&c->output, spec->out) || !capture_init(&c->error, spec->err))
        error = ENOMEM;
    if (error == 0) {
        error = guard_start(&c->guard, &(struct guard_spec){.path = spec->path,
                                                            .arguments = spec->arguments,
                                                            .environment = spec->environment,
                                                            .streams = pipes.far,
                                                            .leave = spec->leave,
                                                            .confine = spec->confine});
    }
    if (error) {
        pipes_close(&pipes);
        capture_done(&c->output);
        capture_done(&c->error);
        return error;
    }
    c->input_fd = pipes.near[STDIN_FILENO];
    c->output_fd = pipes.near[STDOUT_FILENO];
    c->error_fd = pipes.near[STDERR_FILENO];
    for (int i = 0; i < 3; i++)
        close_fd(&pipes.far[i]);
    c->body = spec->body;
    c->body_left = spec->body_bytes;
    c->lines = spec->lines;
    if (c->body_left == 0 && !c->lines)
        close_fd(&c->input_fd);
    c->timeout_ms = spec->timeout_ms;
    c->grace_ms = spec->grace_ms;
    c->signal_at_ms = spec->timeout_ms ? clock_deadline(spec->timeout_ms) : CLOCK_NEVER;
    child_limit(c, spec->left_ms ? spec->left_ms : -1, clock_mono_ms());
    return 0;
}

void child_limit(struct child *c, int64_t left_ms, int64_t now_ms)
{
    int64_t lead_ms = left_ms / 10 < CHILD_LEAD_MS_MAX ? left_ms / 10 : CHILD_LEAD_MS_MAX;
    c->late_at_ms = left_ms < 0 ? CLOCK_NEVER : now_ms + left_ms - lead_ms;
    c->until_ms = left_ms < 0 ? CLOCK_NEVER : now_ms + left_ms;
}

void child_kill(const struct child *c)
{
    guard_signal(&c->guard, SIGKILL);
}

void child_done(struct child *c)
{
    guard_close(&c->guard);
    close_fd(&c->input_fd);
    close_fd(&c->output_fd);
    close_fd(&c->error_fd);
    capture_done(&c->output);
    capture_done(&c->error);
}

/* ---- running */

static void feed(struct child *c)
{
    ssize_t put = write(c->input_fd, c->body, c->body_left);
    if (put > 0) {
        c->body += put;
        c->body_left -= (size_t)put;
        c->given += (size_t)put;
    }
    /* EPIPE and the like: a command need not read its input. */
    bool refused = put < 0 && errno != EAGAIN && errno != EINTR;
    if (c->lines)
        c->body_left = refused ? 0 : c->body_left; /* the pipe still tells what was not read */
    else if (refused || c->body_left == 0)
        close_fd(&c->input_fd);
}

void child_give(struct child *c, const char *bytes, size_t count)
{
    check(c->lines && c->body_left == 0 && count > 0);
    c->body = bytes;
    c->body_left = count;
    c->given = 0;
    if (c->input_fd >= 0)
        feed(c);
}

bool child_has_not_read(const struct child *c)
{
    int waiting = 0;
    if (c->input_fd < 0)
        return c->unread;
    return ioctl(c->input_fd, FIONREAD, &waiting) == 0 && (size_t)waiting >= c->given;
}

void child_let_leave(struct child *c)
{
    if (c->input_fd < 0)
        return;
    close_fd(&c->input_fd);
    c->body_left = 0;
    if (!c->signaled && !c->dead)
        child_stop_at(c, clock_deadline(c->grace_ms));
}

/* Read once; false when there is nothing (more) to read now. */
static bool drain_once(int *fd, struct capture *to, size_t *total)
{
    char buffer[CHILD_READ_BYTES];
    ssize_t got = *fd < 0 ? 0 : read(*fd, buffer, sizeof buffer);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        close_fd(fd);
        return false;
    }
    capture_add(to, buffer, (size_t)got);
    *total += (size_t)got;
    return true;
}

/* The same of the output of a child that stands. */
static bool drain_lines(struct child *c)
{
    char buffer[CHILD_READ_BYTES];
    ssize_t got = c->output_fd < 0 ? 0 : read(c->output_fd, buffer, sizeof buffer);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        close_fd(&c->output_fd);
        lines_end(c->lines);
        return false;
    }
    lines_add(c->lines, buffer, (size_t)got);
    return true;
}

static bool takes(const struct capture *c, int64_t now_ms)
{
    return !c->to || sink_takes(c->to, now_ms);
}

/* A reading of what is left in the pipe, if the sink takes it. True at its end, or when enough was read. */
static bool drain_rest(int *fd, struct capture *to, size_t *left, int64_t now_ms)
{
    if (*fd < 0)
        return true;
    if (!takes(to, now_ms) || (drain_once(fd, to, left) && *left < LEFTOVER_BYTES_MAX))
        return false;
    close_fd(fd);
    return true;
}

/* The command is dead: read what it left. No more in one turn than of one that runs: others wait meanwhile.
 */
static void finish(struct child *c, int64_t now_ms)
{
    bool output = c->lines ? !lines_takes(c->lines) || !drain_lines(c)
                           : drain_rest(&c->output_fd, &c->output, &c->output_left, now_ms);
    bool error = drain_rest(&c->error_fd, &c->error, &c->error_left, now_ms);
    if (!output || !error)
        return;
    capture_end(&c->output);
    capture_end(&c->error);
    c->ended = true;
}

static void reap(struct child *c)
{
    (void)guard_take_end(&c->guard, &c->status); /* a guard that was killed ended as the command did */
    c->dead = true;
    c->signal_at_ms = CLOCK_NEVER;
    c->unread = c->lines && child_has_not_read(c);
    close_fd(&c->input_fd);
}

void child_poll(const struct child *c, struct pollfd *to, int64_t now_ms)
{
    to[POLL_PROCESS] = (struct pollfd){.fd = c->guard.line, .events = POLLIN};
    to[POLL_INPUT] = (struct pollfd){.fd = c->body_left ? c->input_fd : -1, .events = POLLOUT};
    bool room = c->lines ? lines_takes(c->lines) : takes(&c->output, now_ms);
    to[POLL_OUTPUT] = (struct pollfd){.fd = room ? c->output_fd : -1, .events = POLLIN};
    to[POLL_ERROR] = (struct pollfd){.fd = takes(&c->error, now_ms) ? c->error_fd : -1, .events = POLLIN};
}

int64_t child_wake_ms(const struct child *c, int64_t now_ms)
{
    bool more =
        (c->output_fd >= 0 && takes(&c->output, now_ms)) || (c->error_fd >= 0 && takes(&c->error, now_ms));
    if (c->dead)
        return !c->ended && more ? now_ms : CLOCK_NEVER;
    return !c->signaled && c->late_at_ms < c->signal_at_ms ? c->late_at_ms : c->signal_at_ms;
}

void child_pump(struct child *c, const struct pollfd *ready, int64_t now_ms)
{
    size_t total = 0;
    if (ready[POLL_PROCESS].revents && !c->dead)
        reap(c);
    if (c->dead && !c->ended)
        finish(c, now_ms);
    if (c->dead)
        return;
    c->errors_ready = ready[POLL_ERROR].revents != 0;
    if (ready[POLL_INPUT].revents && c->input_fd >= 0)
        feed(c);
    if (ready[POLL_OUTPUT].revents && takes(&c->output, now_ms))
        (void)(c->lines ? drain_lines(c) : drain_once(&c->output_fd, &c->output, &total));
    if (ready[POLL_ERROR].revents && takes(&c->error, now_ms))
        (void)drain_once(&c->error_fd, &c->error, &total);
}

void child_forget_errors(struct child *c, int64_t now_ms)
{
    size_t total = 0;
    while (c->errors_ready && total < OUTPUT_PIPE_BYTES && takes(&c->error, now_ms) &&
           drain_once(&c->error_fd, &c->error, &total))
        continue;
    capture_restart(&c->error);
}

void child_tick(struct child *c, const struct pollfd *ready, int64_t now_ms)
{
    bool late = !c->signaled && now_ms >= c->late_at_ms;
    if (c->dead || ready[POLL_PROCESS].revents || (now_ms < c->signal_at_ms && !late))
        return;
    int64_t kill_at_ms = now_ms + c->grace_ms;
    guard_signal(&c->guard, c->signaled ? SIGKILL : SIGTERM);
    c->late |= late && !c->stopped;
    c->timed_out |= !c->signaled && !c->stopped && !late;
    c->signal_at_ms = c->signaled ? CLOCK_NEVER : kill_at_ms < c->until_ms ? kill_at_ms : c->until_ms;
    c->signaled = true;
}

void child_stop_at(struct child *c, int64_t at_ms)
{
    if (c->signaled || at_ms >= c->signal_at_ms)
        return;
    c->stopped = true;
    c->signal_at_ms = at_ms;
}

bool child_was_stopped(const struct child *c)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    if (c->stopped && c->signaled)
        return true;
    for (size_t i = 0; !c->timed_out && !c->late && i < sizeof signals / sizeof *signals; i++) {
        if ((WIFSIGNALED(c->status) && WTERMSIG(c->status) == signals[i]) ||
            (WIFEXITED(c->status) && WEXITSTATUS(c->status) == 128 + signals[i]))
            return true;
    }
    return false;
}

/* ---- judging */

static void name_end(const struct child *c, struct judgement *j)
{
    if (c->late) {
        (void)snprintf(j->type, sizeof j->type, "deadline_exceeded");
    } else if (c->timed_out) {
        (void)snprintf(j->type, sizeof j->type, "timeout");
    } else if (WIFSIGNALED(c->status)) {
        const char *name = sigabbrev_np(WTERMSIG(c->status));
        if (name)
            (void)snprintf(j->type, sizeof j->type, "SIG%s", name);
        else
            (void)snprintf(j->type, sizeof j->type, "signal %d", WTERMSIG(c->status));
    } else {
        (void)snprintf(j->type, sizeof j->type, "exit %d", WEXITSTATUS(c->status));
    }
}

/* A program that was killed had no last words: what it said before is of something else. abort() is how C++
 * ends of an exception. */
static bool may_have_explained_itself(const struct child *c)
{
    return !c->timed_out && !c->late && (WIFEXITED(c->status) || WTERMSIG(c->status) == SIGABRT);
}

void child_judge(struct child *c, struct judgement *ret)
{
    *ret = (struct judgement){.verdict = VERDICT_NACK};
    bool exited = !c->timed_out && WIFEXITED(c->status);
    if (exited && WEXITSTATUS(c->status) == 0) {
        ret->verdict = VERDICT_ACK;
        return;
    }
    if (exited && WEXITSTATUS(c->status) == EXIT_REJECT)
        ret->verdict = VERDICT_REJECT;
    name_end(c, ret);
    /* Programs that complain on stdout are heard too, if they left stderr silent. */
    const char *class = NULL;
    struct capture *said = capture_diagnose(&c->error, &class, &ret->message) ? &c->error : &c->output;
    if (said == &c->output)
        (void)capture_diagnose(&c->output, &class, &ret->message);
    if (class && may_have_explained_itself(c))
        (void)snprintf(ret->type, sizeof ret->type, "%s", class);
    ret->stack = capture_stack(said);
}

void judgement_done(struct judgement *j)
{
    free(j->message);
    free(j->stack);
    *j = (struct judgement){.verdict = VERDICT_NACK};
}
