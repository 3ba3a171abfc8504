/* work_stream: see work_stream.h. */
#include "cli/work_stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/check.h"
#include "base/clock.h"
#include "cli/work_message.h"
#include "client/shunt.h"

int stream_start(struct stream *s, struct child *child, struct child_spec *spec)
{
    check(!s->child);
    *s = (struct stream){.look_at_ms = CLOCK_NEVER};
    spec->lines = &s->lines;
    int error = child_start(child, spec);
    if (error == 0)
        s->child = child;
    return error;
}

void stream_done(struct stream *s)
{
    if (s->child)
        child_done(s->child);
    free(s->line);
    lines_done(&s->lines);
    *s = (struct stream){0};
}

static bool is_sound(const struct stream *s)
{
    const struct child *c = s->child;
    return c && !s->breached && !c->signaled && !c->dead && c->input_fd >= 0;
}

bool stream_is_idle(const struct stream *s)
{
    return is_sound(s) && !s->id && !s->lines.ended;
}

void stream_leave(struct stream *s)
{
    if (s->child && !s->id)
        child_let_leave(s->child);
}

/* ---- giving */

static int64_t sooner(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

static int64_t timeout_at(const struct stream *s, int64_t now_ms)
{
    return s->timeout_ms ? now_ms + s->timeout_ms : CLOCK_NEVER;
}

bool stream_give(struct stream *s, const struct shunt_delivery *d, int64_t timeout_ms, int64_t start_ms)
{
    check(stream_is_idle(s));
    size_t bytes = 0;
    int64_t now_ms = clock_mono_ms();
    s->line = work_message_line(d, timeout_ms, &bytes);
    if (!s->line)
        return false;
    s->id = shunt_delivery_id(d);
    s->timeout_ms = timeout_ms;
    s->read_by_ms = now_ms + start_ms;
    s->look_at_ms = sooner(timeout_at(s, now_ms), s->read_by_ms);
    s->began_late = false;
    s->child->timeout_ms = timeout_ms;
    child_limit(s->child, shunt_message_remaining_ms(d), now_ms);
    child_forget_errors(s->child, now_ms);
    child_give(s->child, s->line, bytes);
    return true;
}

/* ---- time and trust */

static void breach(struct stream *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void breach(struct stream *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(s->why, sizeof s->why, format, arguments);
    va_end(arguments);
    s->breached = true;
    lines_end(&s->lines); /* what it still says is not read */
    child_kill(s->child);
}

int64_t stream_wake_ms(const struct stream *s, int64_t now_ms)
{
    if (!s->child)
        return CLOCK_NEVER;
    int64_t at_ms = sooner(child_wake_ms(s->child, now_ms), s->look_at_ms);
    return s->closed_at_ms ? sooner(at_ms, s->closed_at_ms + STREAM_CLOSE_MS) : at_ms;
}

static void look_at_limits(struct stream *s, int64_t now_ms)
{
    bool unread = child_has_not_read(s->child);
    s->look_at_ms = CLOCK_NEVER;
    if (unread && now_ms >= s->read_by_ms) {
        breach(s, "the command did not begin to read a message in time");
    } else if (unread) {
        /* It starts, or is not done with what it does between two messages: no message's time runs. */
        s->began_late = true;
        s->look_at_ms = sooner(timeout_at(s, now_ms), s->read_by_ms);
    } else if (s->began_late) {
        s->began_late = false;
        s->look_at_ms = timeout_at(s, now_ms);
    } else if (s->timeout_ms) {
        s->child->stopped = false; /* a stop may still be waiting for it */
        s->child->signal_at_ms = now_ms;
        lines_end(&s->lines);
    }
}

void stream_tick(struct stream *s, int64_t now_ms)
{
    if (!is_sound(s))
        return;
    if (s->closed_at_ms && now_ms >= s->closed_at_ms + STREAM_CLOSE_MS) {
        s->closed_at_ms = 0;
        breach(s, "the command closed its standard output and went on");
    } else if (s->id && now_ms >= s->child->late_at_ms) {
        lines_end(&s->lines); /* child_tick() ends it */
    } else if (s->id && now_ms >= s->look_at_ms) {
        look_at_limits(s, now_ms);
    }
}

/* ---- answers */

static void forget_message(struct stream *s)
{
    free(s->line);
    s->line = NULL;
    s->id = NULL;
    s->look_at_ms = CLOCK_NEVER;
    child_limit(s->child, -1, 0);
    s->answered++;
}

static void take_answer(struct stream *s, const struct answer *a, int64_t now_ms)
{
    if (a->outcome != SHUNT_EXTEND) {
        forget_message(s);
    } else if (s->timeout_ms) {
        s->began_late = false;
        s->look_at_ms = timeout_at(s, now_ms);
    }
}

static void look_at_end(struct stream *s, int64_t now_ms)
{
    if (s->lines.too_long)
        breach(s, "the command wrote a line of more than %u KiB", LINE_BYTES_MAX / 1024);
    else if (s->lines.failed)
        breach(s, "out of memory for a line of the command");
    else if (s->lines.ended && !s->closed_at_ms && is_sound(s))
        s->closed_at_ms = now_ms;
}

bool stream_answer(struct stream *s, struct answer *ret, int64_t now_ms)
{
    const char *line = NULL;
    size_t bytes = 0;
    if (!s->child || s->breached || s->child->timed_out || s->child->late)
        return false;
    if (!lines_next(&s->lines, &line, &bytes)) {
        look_at_end(s, now_ms);
        return false;
    }
    char why[ANSWER_WHY_BYTES];
    if (!answer_read(ret, line, bytes, s->id, why)) {
        breach(s, "%s", why);
        return false;
    }
    if (ret->outcome != SHUNT_EXTEND && s->child->body_left) {
        breach(s, "the command answered for %s before it had read its line", s->id);
        answer_done(ret);
        return false;
    }
    take_answer(s, ret, now_ms);
    return true;
}

/* ---- the end */

static void name(struct judgement *j, const char *type, const char *message)
{
    (void)snprintf(j->type, sizeof j->type, "%s", type);
    free(j->message);
    j->message = strdup(message); /* NULL: the type must do */
}

enum stream_blame stream_judge(struct stream *s, struct judgement *ret)
{
    struct child *c = s->child;
    check(c && c->ended);
    child_judge(c, ret);
    ret->verdict = VERDICT_NACK; /* a status is no answer */
    if (s->breached)
        name(ret, "bad_answer", s->why);
    else if (!c->timed_out && !c->late && WIFEXITED(c->status) && WEXITSTATUS(c->status) == 0)
        name(ret, "exit 0", "the command ended without an answer");
    bool unread = !s->id || child_has_not_read(c);
    bool for_earlier = s->breached && s->answered;
    return unread || for_earlier || s->lines.failed ? BLAME_NONE : BLAME_MESSAGE;
}
