/* work_pool: see work_pool.h. */
#include "cli/work_pool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/magic.h"
#include "cli/call.h"
#include "cli/sink.h"
#include "cli/work_env.h"
#include "cli/work_resolve.h"
#include "client/shunt.h"

/* A stop reaches a command and its worker within this, whichever first. */
#define STOP_HEARD_MS 500

bool work_pool_init(struct work_pool *p, size_t slots_count)
{
    check(slots_count > 0);
    p->magic = WORK_POOL_MAGIC;
    p->slots = calloc(slots_count, sizeof *p->slots);
    p->slots_count = p->slots ? slots_count : 0;
    return p->slots != NULL;
}

static void free_slot(struct work_pool *p, struct work_slot *slot)
{
    check(p->busy > 0 && slot->delivery);
    if (p->standing) { /* the command stays */
        slot->delivery = NULL;
        slot->judge_at_ms = 0;
        p->busy--;
        return;
    }
    child_done(&slot->child);
    work_env_done(slot->environment);
    free(slot->environment);
    *slot = (struct work_slot){0};
    p->busy--;
}

void work_pool_done(struct work_pool *p)
{
    for (size_t i = 0; i < p->slots_count; i++) {
        if (p->slots[i].delivery)
            free_slot(p, &p->slots[i]); /* the delivery stays the consumer's, who gives it back */
        stream_done(&p->slots[i].stream);
    }
    free(p->slots);
    p->slots = NULL;
    p->slots_count = 0;
}

static void resolve(struct work_pool *p, struct shunt_delivery *delivery, enum shunt_outcome outcome,
                    const struct shunt_failure *failure)
{
    work_resolve(p, delivery, outcome, SHUNT_BACKOFF, failure);
}

/* ---- starting */

/* One whose command is idle comes first. */
static struct work_slot *find_free(const struct work_pool *p)
{
    struct work_slot *found = NULL;
    for (size_t i = 0; i < p->slots_count; i++) {
        struct work_slot *slot = &p->slots[i];
        if (slot->delivery)
            continue;
        if (!p->standing || stream_is_idle(&slot->stream))
            return slot;
        if (!slot->stream.child)
            found = slot; /* one without a command; the others wait for the end of theirs */
    }
    return found;
}

bool work_pool_takes(const struct work_pool *p)
{
    if (!p->standing)
        return p->busy < p->slots_count;
    const struct work_slot *slot = find_free(p);
    return slot && (slot->stream.child || clock_mono_ms() >= p->spawn_at_ms);
}

static void plan_extension(struct work_slot *slot)
{
    slot->extend_at_ms = clock_deadline(slot->lease_ms / 2);
}

/* The machine's fault, not the message's: it goes back uncharged, and we end. */
static void refuse_start(struct work_pool *p, struct shunt_delivery *delivery, const char *why)
{
    call_complain("%s: cannot be run: %s", p->program, why);
    p->cannot_run = true;
    resolve(p, delivery, SHUNT_RELEASE, NULL);
}

static struct child_spec spec_of(const struct work_pool *p)
{
    return (struct child_spec){.path = p->program,
                               .arguments = p->arguments,
                               .environment = environ,
                               .timeout_ms = p->timeout_ms,
                               .grace_ms = CHILD_GRACE_MS,
                               .leave = p->leave,
                               .confine = p->confine,
                               .out = p->out,
                               .err = p->err};
}

static void hold(struct work_pool *p, struct work_slot *slot, struct shunt_delivery *delivery)
{
    slot->delivery = delivery;
    int64_t left_ms = shunt_delivery_lease_left_ms(delivery);
    slot->lease_ms = left_ms > 2 ? left_ms : 2;
    plan_extension(slot);
    p->busy++;
}

/* Give the slot's message to its command, which is started if there is none. */
static void hand_on(struct work_pool *p, struct work_slot *slot)
{
    int error = 0;
    if (!slot->stream.child) {
        struct child_spec spec = spec_of(p);
        spec.timeout_ms = 0; /* of a message, not of the command */
        error = stream_start(&slot->stream, &slot->child, &spec);
    }
    if (error == 0 && !stream_give(&slot->stream, slot->delivery, p->timeout_ms, p->start_ms))
        error = ENOMEM;
    if (error) {
        refuse_start(p, slot->delivery, strerror(error));
        free_slot(p, slot);
    }
}

void work_pool_start(struct work_pool *p, struct shunt_delivery *delivery)
{
    struct work_slot *slot = find_free(p);
    check(slot && delivery);
    if (shunt_message_remaining_ms(delivery) == 0) {
        resolve(p, delivery, SHUNT_LATE, NULL);
        return;
    }
    if (p->standing) {
        hold(p, slot, delivery);
        hand_on(p, slot);
        return;
    }
    struct work_env *environment = work_env_of(environ, delivery);
    if (!environment) {
        refuse_start(p, delivery, "out of memory");
        return;
    }
    struct child_spec spec = spec_of(p);
    int64_t left_ms = shunt_message_remaining_ms(delivery);
    spec.environment = environment->entries;
    spec.body = shunt_delivery_body(delivery, &spec.body_bytes);
    spec.left_ms = left_ms < 0 ? 0 : left_ms ? left_ms : 1;
    int error = child_start(&slot->child, &spec);
    if (error) {
        work_env_done(environment);
        free(environment);
        *slot = (struct work_slot){0};
        refuse_start(p, delivery, strerror(error));
        return;
    }
    slot->environment = environment;
    hold(p, slot, delivery);
}

/* ---- running */

static bool runs(const struct work_pool *p, const struct work_slot *slot)
{
    return p->standing ? slot->stream.child != NULL : slot->delivery != NULL;
}

static int64_t wake_of(const struct work_pool *p, const struct work_slot *slot, int64_t now_ms)
{
    if (p->standing && slot->stream.child)
        return stream_wake_ms(&slot->stream, now_ms);
    if (p->standing && slot->delivery)
        return p->spawn_at_ms;
    return slot->delivery ? child_wake_ms(&slot->child, now_ms) : CLOCK_NEVER;
}

bool work_pool_is_active(const struct work_pool *p)
{
    size_t running = p->busy;
    for (size_t i = 0; p->standing && i < p->slots_count; i++)
        running += p->slots[i].stream.child != NULL;
    return running > 0;
}

void work_pool_leave(struct work_pool *p)
{
    for (size_t i = 0; i < p->slots_count; i++)
        stream_leave(&p->slots[i].stream);
}

int64_t work_pool_poll(const struct work_pool *p, struct pollfd *rows)
{
    int64_t now_ms = clock_mono_ms();
    int64_t out_at_ms = sink_wake_ms(p->out, now_ms);
    int64_t err_at_ms = sink_wake_ms(p->err, now_ms);
    int64_t wake_at_ms = out_at_ms < err_at_ms ? out_at_ms : err_at_ms;
    if (p->standing && now_ms < p->spawn_at_ms && p->spawn_at_ms < wake_at_ms)
        wake_at_ms = p->spawn_at_ms; /* a message may be there that no command can take now */
    for (size_t i = 0; i < p->slots_count; i++) {
        const struct work_slot *slot = &p->slots[i];
        struct pollfd *own = rows + i * CHILD_POLLS;
        for (size_t k = 0; k < CHILD_POLLS; k++)
            own[k] = (struct pollfd){.fd = -1};
        if (runs(p, slot))
            child_poll(&slot->child, own, now_ms);
        if (slot->delivery && slot->extend_at_ms < wake_at_ms)
            wake_at_ms = slot->extend_at_ms;
        int64_t child_at_ms = wake_of(p, slot, now_ms);
        wake_at_ms = child_at_ms < wake_at_ms ? child_at_ms : wake_at_ms;
        if (slot->judge_at_ms && slot->judge_at_ms < wake_at_ms)
            wake_at_ms = slot->judge_at_ms;
    }
    return wake_at_ms;
}

static void extend(struct work_pool *p, struct work_slot *slot)
{
    plan_extension(slot);
    if (!work_extend(p, slot->delivery, slot->lease_ms))
        slot->extend_at_ms = CLOCK_NEVER;
}

static void resolve_judged(struct work_pool *p, struct work_slot *slot, const struct judgement *judgement)
{
    char after[32];
    char text[64];
    const struct child *c = &slot->child;
    if (c->late)
        (void)snprintf(text, sizeof text, "ended, because its deadline was near");
    else
        (void)snprintf(text, sizeof text, "killed after %s", shunt_format_duration(after, c->timeout_ms));
    const char *message = judgement->message ? judgement->message : c->timed_out || c->late ? text : NULL;
    struct shunt_failure failure = {.type = judgement->type, .message = message, .stack = judgement->stack};
    bool crashed = c->timed_out || c->late || WIFSIGNALED(c->status);
    bool stopped = p->stopping && judgement->verdict == VERDICT_NACK && child_was_stopped(&slot->child);
    enum shunt_outcome outcome = judgement->verdict == VERDICT_REJECT ? SHUNT_REJECT
                                 : c->late                            ? SHUNT_LATE
                                                                      : SHUNT_NACK;
    bool released = p->abandon || stopped;
    if (crashed && !released && judgement->verdict != VERDICT_ACK) { /* its own output says nothing of that */
        call_note(p->call, "%s: %s attempt %" PRIu32 ": %s%s%s", shunt_delivery_id(slot->delivery),
                  c->late ? "ended" : "failed", shunt_delivery_attempts(slot->delivery) + 1, judgement->type,
                  message ? ": " : "", message ? message : "");
    }
    if (released)
        resolve(p, slot->delivery, SHUNT_RELEASE, NULL);
    else if (judgement->verdict == VERDICT_ACK)
        resolve(p, slot->delivery, SHUNT_ACK, NULL);
    else
        resolve(p, slot->delivery, outcome, &failure);
}

static void settle(struct work_pool *p, struct work_slot *slot)
{
    struct judgement judgement;
    child_judge(&slot->child, &judgement);
    resolve_judged(p, slot, &judgement);
    judgement_done(&judgement);
    free_slot(p, slot);
}

/* ---- standing commands */

/* What the last one has come to says when the next one may begin. */
static void count_end(struct work_pool *p, const struct stream *s, const struct judgement *judgement)
{
    if (s->answered || s->child->late || p->stopping || p->abandon)
        return;
    int64_t wait_ms = STREAM_RESPAWN_MS_MIN;
    for (unsigned i = 0; i < p->fruitless && wait_ms < STREAM_RESPAWN_MS_MAX; i++)
        wait_ms *= 2;
    p->fruitless++;
    p->spawn_at_ms = clock_deadline(wait_ms < STREAM_RESPAWN_MS_MAX ? wait_ms : STREAM_RESPAWN_MS_MAX);
    p->unborn = child_has_not_read(s->child) ? p->unborn + 1 : 0;
    if (p->unborn >= STREAM_FAILURES_MAX && !p->cannot_run) {
        call_complain("%s ended %u times in a row before it read a message: %s: %s", p->program, p->unborn,
                      judgement->type, judgement->message ? judgement->message : "it said nothing");
        p->cannot_run = true;
    }
}

static void tell_end(const struct work_pool *p, const struct work_slot *slot,
                     const struct judgement *judgement)
{
    const struct child *c = &slot->child;
    bool quiet = p->stopping || p->abandon || c->input_fd < 0;
    if (slot->stream.breached && slot->delivery)
        call_complain("%s: %s (%s)", p->program, slot->stream.why, shunt_delivery_id(slot->delivery));
    else if (slot->stream.breached)
        call_complain("%s: %s", p->program, slot->stream.why);
    else if (!slot->delivery && !quiet && c->status != 0)
        call_note(p->call, "%s ended between two messages: %s", p->program, judgement->type);
}

/* The slot's command has ended. */
static void stream_settle(struct work_pool *p, struct work_slot *slot)
{
    struct judgement judgement;
    enum stream_blame blame = stream_judge(&slot->stream, &judgement);
    tell_end(p, slot, &judgement);
    count_end(p, &slot->stream, &judgement);
    if (slot->delivery && (blame == BLAME_MESSAGE || p->abandon || slot->child.late)) {
        resolve_judged(p, slot, &judgement);
        free_slot(p, slot);
    }
    judgement_done(&judgement);
    stream_done(&slot->stream);
}

static void take_answers(struct work_pool *p, struct work_slot *slot, int64_t now_ms)
{
    struct answer answer;
    while (stream_answer(&slot->stream, &answer, now_ms)) {
        if (answer.outcome != SHUNT_EXTEND) {
            p->fruitless = 0;
            p->unborn = 0;
            work_resolve(p, slot->delivery, answer.outcome, answer.delay_ms, &answer.failure);
            free_slot(p, slot);
        }
        answer_done(&answer);
    }
}

/* A message whose command ended through no fault of its own. */
static void begin_again(struct work_pool *p, struct work_slot *slot, int64_t now_ms)
{
    if (p->stopping || p->abandon || p->cannot_run) {
        resolve(p, slot->delivery, SHUNT_RELEASE, NULL);
        free_slot(p, slot);
    } else if (shunt_message_remaining_ms(slot->delivery) == 0) {
        resolve(p, slot->delivery, SHUNT_LATE, NULL);
        free_slot(p, slot);
    } else if (now_ms >= p->spawn_at_ms) {
        hand_on(p, slot);
    }
}

/* A service manager that stops us may send the same signal to our commands, and theirs may arrive first. */
static bool must_wait_for_verdict(const struct work_pool *p, struct work_slot *slot, int64_t now_ms)
{
    if (p->stopping || !child_was_stopped(&slot->child))
        return false;
    if (slot->judge_at_ms == 0)
        slot->judge_at_ms = now_ms + STOP_HEARD_MS;
    return now_ms < slot->judge_at_ms;
}

static void child_turn(struct work_pool *p, struct work_slot *slot, const struct pollfd *ready,
                       int64_t now_ms)
{
    child_pump(&slot->child, ready, now_ms);
    if (slot->child.ended && !must_wait_for_verdict(p, slot, now_ms))
        settle(p, slot);
}

static void stream_turn(struct work_pool *p, struct work_slot *slot, const struct pollfd *ready,
                        int64_t now_ms)
{
    child_pump(&slot->child, ready, now_ms);
    take_answers(p, slot, now_ms);
    if (slot->child.ended && (!slot->delivery || !must_wait_for_verdict(p, slot, now_ms)))
        stream_settle(p, slot);
}

/* What cannot wait for others' output. */
static void keep_time(struct work_pool *p, const struct pollfd *rows, int64_t now_ms)
{
    for (size_t i = 0; i < p->slots_count; i++) {
        struct work_slot *slot = &p->slots[i];
        if (p->standing && slot->stream.child)
            stream_tick(&slot->stream, now_ms);
        if (runs(p, slot))
            child_tick(&slot->child, rows + i * CHILD_POLLS, now_ms);
        if (slot->delivery && now_ms >= slot->extend_at_ms)
            extend(p, slot);
    }
}

void work_pool_turn(struct work_pool *p, const struct pollfd *rows)
{
    int64_t begin_ms = clock_mono_ms();
    int64_t now_ms = begin_ms;
    keep_time(p, rows, now_ms);
    for (size_t n = 0; n < p->slots_count && now_ms - begin_ms < WORK_TURN_MS; n++) {
        size_t i = p->next;
        struct work_slot *slot = &p->slots[i];
        p->next = (i + 1) % p->slots_count;
        if (p->standing && slot->delivery && !slot->stream.child)
            begin_again(p, slot, now_ms);
        else if (p->standing && slot->stream.child)
            stream_turn(p, slot, rows + i * CHILD_POLLS, now_ms);
        else if (slot->delivery)
            child_turn(p, slot, rows + i * CHILD_POLLS, now_ms);
        else
            continue;
        now_ms = clock_mono_ms();
    }
}

bool work_pool_has_guard(const struct work_pool *p, pid_t pid)
{
    for (size_t i = 0; i < p->slots_count; i++) {
        if (runs(p, &p->slots[i]) && p->slots[i].child.guard.pid == pid)
            return true;
    }
    return false;
}

void work_pool_stop(struct work_pool *p, int64_t end_at_ms)
{
    p->stopping = true;
    for (size_t i = 0; i < p->slots_count; i++) {
        if (p->slots[i].delivery && runs(p, &p->slots[i]))
            child_stop_at(&p->slots[i].child, end_at_ms);
    }
}

void work_pool_kill(struct work_pool *p)
{
    p->abandon = true;
    for (size_t i = 0; i < p->slots_count; i++) {
        if (runs(p, &p->slots[i]))
            child_kill(&p->slots[i].child);
    }
}
