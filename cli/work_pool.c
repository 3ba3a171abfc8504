/* work_pool: see work_pool.h. */
#include "cli/work_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/magic.h"
#include "cli/call.h"
#include "cli/sink.h"
#include "cli/work_env.h"
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
    }
    free(p->slots);
    p->slots = NULL;
    p->slots_count = 0;
}

/* ---- answers */

static void settled(struct work_pool *p, uint64_t *count, const struct shunt_error *err)
{
    check(p->unanswered > 0);
    p->unanswered--;
    if (err)
        call_tell_lost_answer(err);
    else
        ++*count;
}

static void acked(void *context, const struct shunt_error *err)
{
    struct work_pool *p = magic_of(context, work_pool, WORK_POOL_MAGIC);
    settled(p, &p->acked, err);
}

static void nacked(void *context, const struct shunt_error *err)
{
    struct work_pool *p = magic_of(context, work_pool, WORK_POOL_MAGIC);
    settled(p, &p->nacked, err);
}

static void rejected(void *context, const struct shunt_error *err)
{
    struct work_pool *p = magic_of(context, work_pool, WORK_POOL_MAGIC);
    settled(p, &p->rejected, err);
}

static void released(void *context, const struct shunt_error *err)
{
    struct work_pool *p = magic_of(context, work_pool, WORK_POOL_MAGIC);
    settled(p, &p->released, err);
}

static void extended(void *context, const struct shunt_error *err)
{
    (void)context;
    (void)err; /* a lease that is lost shows in the answer at the end */
}

static void resolve(struct work_pool *p, struct shunt_delivery *delivery, enum shunt_outcome outcome,
                    const struct shunt_failure *failure)
{
    static shunt_resolved_cb *const callbacks[] = {
        [SHUNT_ACK] = acked, [SHUNT_NACK] = nacked, [SHUNT_REJECT] = rejected, [SHUNT_RELEASE] = released};
    struct shunt_error err = {0};
    p->unanswered++;
    if (shunt_resolve_async(delivery, outcome, SHUNT_BACKOFF, failure, callbacks[outcome], p, &err))
        callbacks[outcome](p, &err);
}

/* ---- starting */

static struct work_slot *find_free(struct work_pool *p)
{
    for (size_t i = 0; i < p->slots_count; i++) {
        if (!p->slots[i].delivery)
            return &p->slots[i];
    }
    return NULL;
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

void work_pool_start(struct work_pool *p, struct shunt_delivery *delivery)
{
    struct work_slot *slot = find_free(p);
    check(slot && delivery);
    struct work_env *environment = work_env_of(environ, delivery);
    if (!environment) {
        refuse_start(p, delivery, "out of memory");
        return;
    }
    struct child_spec spec = {.path = p->program,
                              .arguments = p->arguments,
                              .environment = environment->entries,
                              .timeout_ms = p->timeout_ms,
                              .grace_ms = CHILD_GRACE_MS,
                              .leave = p->leave,
                              .out = p->out,
                              .err = p->err};
    spec.body = shunt_delivery_body(delivery, &spec.body_bytes);
    int error = child_start(&slot->child, &spec);
    if (error) {
        work_env_done(environment);
        free(environment);
        *slot = (struct work_slot){0};
        refuse_start(p, delivery, strerror(error));
        return;
    }
    slot->delivery = delivery;
    slot->environment = environment;
    int64_t left_ms = shunt_delivery_lease_left_ms(delivery);
    slot->lease_ms = left_ms > 2 ? left_ms : 2;
    plan_extension(slot);
    p->busy++;
}

/* ---- running */

int64_t work_pool_poll(const struct work_pool *p, struct pollfd *rows)
{
    int64_t now_ms = clock_mono_ms();
    int64_t out_at_ms = sink_wake_ms(p->out, now_ms);
    int64_t err_at_ms = sink_wake_ms(p->err, now_ms);
    int64_t wake_at_ms = out_at_ms < err_at_ms ? out_at_ms : err_at_ms;
    for (size_t i = 0; i < p->slots_count; i++) {
        const struct work_slot *slot = &p->slots[i];
        struct pollfd *own = rows + i * CHILD_POLLS;
        if (!slot->delivery) {
            for (size_t k = 0; k < CHILD_POLLS; k++)
                own[k] = (struct pollfd){.fd = -1};
            continue;
        }
        child_poll(&slot->child, own, now_ms);
        wake_at_ms = slot->extend_at_ms < wake_at_ms ? slot->extend_at_ms : wake_at_ms;
        int64_t child_at_ms = child_wake_ms(&slot->child, now_ms);
        wake_at_ms = child_at_ms < wake_at_ms ? child_at_ms : wake_at_ms;
        if (slot->judge_at_ms && slot->judge_at_ms < wake_at_ms)
            wake_at_ms = slot->judge_at_ms;
    }
    return wake_at_ms;
}

static void extend(struct work_pool *p, struct work_slot *slot)
{
    struct shunt_error err = {0};
    plan_extension(slot);
    if (shunt_resolve_async(slot->delivery, SHUNT_EXTEND, slot->lease_ms, NULL, extended, p, &err))
        slot->extend_at_ms = CLOCK_NEVER;
}

static void settle(struct work_pool *p, struct work_slot *slot)
{
    char after[32];
    char text[64];
    struct judgement judgement;
    child_judge(&slot->child, &judgement);
    (void)snprintf(text, sizeof text, "killed after %s",
                   shunt_format_duration(after, slot->child.timeout_ms));
    const char *message = judgement.message ? judgement.message : slot->child.timed_out ? text : NULL;
    struct shunt_failure failure = {.type = judgement.type, .message = message, .stack = judgement.stack};
    bool stopped = p->stopping && judgement.verdict == VERDICT_NACK && child_was_stopped(&slot->child);
    if (p->abandon || stopped)
        resolve(p, slot->delivery, SHUNT_RELEASE, NULL);
    else if (judgement.verdict == VERDICT_ACK)
        resolve(p, slot->delivery, SHUNT_ACK, NULL);
    else
        resolve(p, slot->delivery, judgement.verdict == VERDICT_REJECT ? SHUNT_REJECT : SHUNT_NACK, &failure);
    judgement_done(&judgement);
    free_slot(p, slot);
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

/* What cannot wait for others' output. */
static void keep_time(struct work_pool *p, const struct pollfd *rows, int64_t now_ms)
{
    for (size_t i = 0; i < p->slots_count; i++) {
        struct work_slot *slot = &p->slots[i];
        if (!slot->delivery)
            continue;
        child_tick(&slot->child, rows + i * CHILD_POLLS, now_ms);
        if (now_ms >= slot->extend_at_ms)
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
        if (!slot->delivery)
            continue;
        child_pump(&slot->child, rows + i * CHILD_POLLS, now_ms);
        if (slot->child.ended && !must_wait_for_verdict(p, slot, now_ms))
            settle(p, slot);
        now_ms = clock_mono_ms();
    }
}

bool work_pool_has_guard(const struct work_pool *p, pid_t pid)
{
    for (size_t i = 0; i < p->slots_count; i++) {
        if (p->slots[i].delivery && p->slots[i].child.guard.pid == pid)
            return true;
    }
    return false;
}

void work_pool_stop(struct work_pool *p, int64_t end_at_ms)
{
    p->stopping = true;
    for (size_t i = 0; i < p->slots_count; i++) {
        if (p->slots[i].delivery)
            child_stop_at(&p->slots[i].child, end_at_ms);
    }
}

void work_pool_kill(struct work_pool *p)
{
    p->abandon = true;
    for (size_t i = 0; i < p->slots_count; i++) {
        if (p->slots[i].delivery)
            child_kill(&p->slots[i].child);
    }
}
