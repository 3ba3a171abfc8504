/* apply: see apply.h. */
#include "broker/engine/apply.h"
#include "broker/engine/answer.h"
#include "broker/engine/deliver.h"
#include "broker/engine/outbox.h"
#include "broker/engine/request.h"
#include "broker/engine/review.h"
#include "broker/engine/state.h"
#include "broker/engine/subscription.h"
#include "broker/engine/take_up.h"
#include "broker/engine/text.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"

/* ---- results ---- */

/* Why there is no room, how much is left, and what to do. */
static const char *room_text(struct engine *e, enum command_kind kind)
{
    const struct room *r = &e->room;
    bool disk = r->cause == ROOM_BY_DISK;
    if (r->fullness < STORE_FULL && disk) {
        return engine_text(
            e,
            "the disk is nearly full: one transaction can have %llu KiB of it, which does not "
            "hold the first of these messages; make room on the disk, or publish fewer at once",
            (unsigned long long)(r->publish_bytes >> 10));
    }
    if (r->fullness < STORE_FULL) {
        return engine_text(
            e, "one transaction cannot hold the first of these messages: publish fewer at once, or "
               "have fewer groups");
    }
    return engine_text(
        e,
        "%s is nearly full: %llu MiB are free, and %s stops below %llu MiB; let consumers "
        "catch up, purge, or %s",
        disk ? "the disk" : "the store's map", (unsigned long long)(r->free_bytes >> 20),
        kind == COMMAND_PUBLISH ? "publishing" : "the making of topics, groups, users, roles and tokens",
        (unsigned long long)(r->reserve_bytes >> 20), disk ? "make room on the disk" : "raise map-size-max");
}

/* The ledger's reason, or what the error is about. */
static const char *reason(struct engine *e, const struct step *st, int err, const char *why)
{
    enum command_kind kind = st->command.kind;
    if (!err || why)
        return why;
    if (err == SHUNT_NO_SPACE)
        return room_text(e, kind);
    if (kind == COMMAND_JOB_CANCEL || kind == COMMAND_JOB_PAUSE || kind == COMMAND_JOB_RESUME)
        return engine_no_job(e, st->command.job.id);
    if (err == SHUNT_NOT_FOUND && (kind == COMMAND_RULE_SET || kind == COMMAND_RULE_DELETE))
        return engine_no_rule(e, st->command.rule.number, st->topic, st->group);
    if (err == SHUNT_NOT_FOUND && kind >= COMMAND_USER_SET)
        return engine_no_identity(e, &st->command);
    return engine_about(e, err, st->topic, st->group, HINT_MISSING);
}

/* Another job is at the same dead letters. */
static const char *busy(struct engine *e, uint64_t job)
{
    return engine_text(e, "job %llu is at work on the same dead letters: wait until it is done, or cancel it",
                       (unsigned long long)job);
}

/* What was looked at for the command, until so many rows had been in all, is its connection's work. */
static void count_rows(struct engine *e, const struct step *st, uint64_t rows)
{
    if (rows != e->collected.rows_seen && st && st->session)
        share_count(st->session, rows - e->collected.rows_seen);
    e->collected.rows_seen = rows;
}

/* Of what was stored. */
__attribute__((cold, noinline)) static void note_keys(struct engine *e, const struct step *st)
{
    const struct publish_command *p = &st->command.publish;
    uint32_t stored = st->err || st->count < p->stored ? 0 : (uint32_t)st->count - p->stored;
    keys_published(&e->keys, p->topic, p->messages, stored < p->count ? stored : p->count, e->mono_ms);
}

static void heed_published(struct engine *e, struct step *st, const struct published_result *p)
{
    uint32_t before = st->command.publish.stored;
    st->err = p->err;
    st->why = p->err && p->why           ? engine_text(e, "message %u: %s", p->accepted, p->why)
              : p->err == SHUNT_TOO_MANY ? st->why
                                         : reason(e, st, p->err, p->why);
    st->number = p->first_seq;
    st->count = p->accepted;
    st->refusal = p->refusal;
    e->turn_messages += p->err || p->accepted < before ? 0 : p->accepted - before;
    if (st->keyed)
        note_keys(e, st);
    count_rows(e, st, p->rows);
}

static void heed_refused(struct step *st, const struct command *c, uint32_t entry, int err)
{
    if (!st)
        return;
    struct resolving *to = &st->resolving;
    /* Of a RESOLVE that is applied in parts, entry 0 is the first of this part. */
    to->refused[to->refused_count++] =
        (struct refused_entry){to->indexes[to->count - c->resolve.count + entry], err};
}

static void heed_done(struct engine *e, struct step *st, const struct done_result *d)
{
    e->review = true;
    if (st) {
        st->err = d->err;
        st->why = d->err == SHUNT_TOO_MANY && d->job ? busy(e, d->job) : reason(e, st, d->err, d->why);
        st->number = d->job;
        st->count = d->count;
        if (st->command.kind == COMMAND_CLOCK)
            wall_clock_keep_ahead(&e->clock, ledger_ahead_ms(e->ledger));
    }
    count_rows(e, st, d->rows);
}

static void note_attended(struct engine *e, int64_t after_ms)
{
    static const double bounds[HISTOGRAM_BUCKETS - 1] = ATTEND_SECONDS_BOUNDS;
    histogram_add(&e->attend_seconds, bounds, (double)after_ms / 1000);
}

static void forget_keys(struct engine *e, const struct result *gone)
{
    keys_forget_group(&e->keys, gone->group_gone.group);
    if (gone->group_gone.err == SHUNT_UNKNOWN_TOPIC && gone->group_gone.topic)
        keys_forget_topic(&e->keys, slice_of(gone->group_gone.topic));
}

/* `st`: the step of the command that it is of; NULL: nobody waits for it. */
__attribute__((always_inline)) static inline void heed(struct engine *e, struct step *st,
                                                       const struct command *c, const struct result *r)
{
    switch (r->kind) {
    case RESULT_PUBLISHED:
        heed_published(e, st, &r->published);
        return;
    case RESULT_HANDED_OUT:
        deliver_message(e, st->assignment, &r->handed_out);
        return;
    case RESULT_ASSIGNED:
        deliver_assigned(e, st->assignment, r->assigned);
        return;
    case RESULT_TAKEN_UP:
        kept_taken_up(e, st, r->taken_up.entry, &r->taken_up.handout);
        return;
    case RESULT_REFUSED:
        heed_refused(st, c, r->refused.entry, r->refused.err);
        return;
    case RESULT_DONE:
        heed_done(e, st, &r->done);
        return;
    case RESULT_READY:
        dispatcher_wake(e->dispatcher, r->ready);
        return;
    case RESULT_REVOKED:
        dispatcher_revoke(e->dispatcher, r->revoked.group, r->revoked.seq);
        keys_forget(&e->keys, r->revoked.group, r->revoked.seq);
        return;
    case RESULT_GROUP_GONE:
        subscriptions_end(e, r);
        forget_keys(e, r);
        return;
    case RESULT_DAMAGED: /* nobody waits for it */
        collect_command(e, &(struct command){.kind = COMMAND_CORRUPT, .corrupt = r->damaged}, NULL);
        return;
    case RESULT_DIED:
        events_died(e, r->died.group, r->died.seq, r->died.reason);
        return;
    case RESULT_CAUSE:
        events_cause(e, r);
        return;
    case RESULT_HELD:
        subscriptions_tell_build(e, r->held.group, r->held.job);
        return;
    case RESULT_OVERDUE:
        events_overdue(e, r);
        return;
    case RESULT_BREAKER:
        events_breaker(e, r);
        return;
    case RESULT_JOB_ENDED:
        events_job_ended(e, r);
        return;
    case RESULT_ATTENDED:
        note_attended(e, r->attended_ms);
        return;
    }
}

/* Act on what came of the commands that were applied last. */
static void heed_results(struct engine *e)
{
    struct collected *b = &e->collected;
    size_t count;
    const struct result *results = ledger_results(e->ledger, &count);
    for (size_t i = 0; i < count; i++) {
        size_t at = b->applied + results[i].command;
        heed(e, b->asked[at], &b->commands[at], &results[i]);
    }
}

/* ---- applying ---- */

/* Of a request in parts, the last one is answered; or that which was refused, and true is returned. */
static bool part_ends_it(const struct step *st)
{
    if (st->request->op == OP_PUBLISH)
        divide_published(st->session, st);
    else
        divide_resolved(st->session, st);
    return st->session->division.over;
}

static void tell(struct engine *e, const struct step *st)
{
    if (!st || !st->session)
        return;
    if (!st->more || part_ends_it(st))
        step_answer(st);
    if (st->request->act)
        events_act(e, st);
    session_count_output(st->session);
}

void apply_collected(struct engine *e)
{
    struct collected *b = &e->collected;
    if (!b->count)
        return;
    e->collected.rows_seen = ledger_rows(e->ledger);
    while (b->applied < b->count) {
        size_t from = b->applied;
        size_t applied = transaction_apply(e, b->commands + from, b->count - from);
        bool cut = applied < b->count - from;
        heed_results(e);
        b->applied += applied;
        if (cut)
            transaction_cut(e, &b->commands[b->applied]);
        for (size_t i = from; i < b->applied; i++)
            tell(e, b->asked[i]);
        if (e->review)
            review_sessions(e);
    }
    b->count = b->applied = 0;
}
