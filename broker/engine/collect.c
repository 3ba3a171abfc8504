/* collect: commands collected in the order of their steps, applied as one batch, and answered in that order.
 */
#include "base/check.h"
#include "broker/engine/engine_private.h"
#include "proto/errors.h"

#include <stdlib.h>

/* Room for one more. */
static struct command *put(struct engine *e, struct step *st)
{
    struct steps *b = &e->steps;
    if (b->collected == b->collected_capacity) {
        size_t capacity = b->collected_capacity ? b->collected_capacity * 2 : 64;
        struct command *commands = realloc(b->commands, capacity * sizeof *commands);
        if (commands)
            b->commands = commands;
        struct step **asked = realloc(b->asked, capacity * sizeof(struct step *));
        if (asked)
            b->asked = asked;
        if (!commands || !asked)
            engine_die(e, SHUNT_NO_MEMORY, "no memory for a batch");
        b->collected_capacity = capacity;
    }
    b->asked[b->collected] = st;
    return &b->commands[b->collected++];
}

void collect_command(struct engine *e, const struct command *c, struct step *st)
{
    *put(e, st) = *c;
}

/* ---- results ---- */

/* Why there is no room, how much is left, and what to do. */
static const char *room_text(struct engine *e, enum command_kind kind)
{
    const struct room *r = &e->room;
    bool disk = r->cause == ROOM_BY_DISK;
    if (r->fullness < STORE_FULL)
        return engine_text(
            e, "one transaction cannot hold the first of these messages: publish fewer at once, or "
               "have fewer groups");
    return engine_text(e,
                       "%s is nearly full: %llu MiB are free, and %s stops below %llu MiB; let consumers "
                       "catch up, purge, or %s",
                       disk ? "the disk" : "the store's map", (unsigned long long)(r->free_bytes >> 20),
                       kind == COMMAND_PUBLISH ? "publishing" : "the making of topics and groups",
                       (unsigned long long)(r->reserve_bytes >> 20),
                       disk ? "make room on the disk" : "raise map-size-max");
}

/* The ledger's reason, or what the error is about. */
static const char *reason(struct engine *e, const struct step *st, int err, const char *why)
{
    if (!err || why)
        return why;
    if (err == SHUNT_NO_SPACE)
        return room_text(e, st->command.kind);
    if (st->command.kind == COMMAND_JOB_CANCEL)
        return engine_no_job(e, st->command.job.id);
    return engine_about(e, err, st->topic, st->group, HINT_MISSING);
}

/* The step of a command of the batch that is being applied; NULL: nobody waits for it. */
static struct step *step_of(struct engine *e, size_t command)
{
    return e->steps.asked[e->steps.applied + command];
}

/* What was looked at for the command is its connection's work. */
static void count_rows(struct engine *e, const struct step *st)
{
    uint64_t rows = ledger_rows(e->ledger) - e->rows_seen;
    if (rows && st && st->session)
        share_count(st->session, rows);
    e->rows_seen += rows;
}

static void on_published(void *context, size_t command, int err, uint64_t first_seq, uint32_t accepted,
                         int refusal, const char *why)
{
    struct engine *e = context;
    struct step *st = step_of(e, command);
    uint32_t before = st->command.publish.stored;
    st->err = err;
    st->why = err && why ? engine_text(e, "message %u: %s", accepted, why) : reason(e, st, err, why);
    st->number = first_seq;
    st->count = accepted;
    st->refusal = refusal;
    e->turn_messages += err || accepted < before ? 0 : accepted - before;
    count_rows(e, st);
}

static void on_refused(void *context, size_t command, uint32_t entry, int err)
{
    struct engine *e = context;
    struct step *st = step_of(e, command);
    if (!st)
        return;
    const struct command *c = &e->steps.commands[e->steps.applied + command];
    struct resolving *to = &st->resolving;
    /* Of a RESOLVE that is applied in parts, entry 0 is the first of this part. */
    to->refused[to->refused_count++] =
        (struct refused_entry){to->indexes[to->count - c->resolve.count + entry], err};
}

static void on_done(void *context, size_t command, int err, const char *why, uint64_t job, uint64_t count)
{
    struct engine *e = context;
    struct step *st = step_of(e, command);
    if (st) {
        st->err = err;
        st->why = reason(e, st, err, why);
        st->number = job;
        st->count = count;
        if (st->command.kind == COMMAND_CLOCK)
            wall_clock_keep_ahead(&e->clock, ledger_ahead_ms(e->ledger));
    }
    count_rows(e, st);
}

static void on_ready(void *context, uint32_t group)
{
    struct engine *e = context;
    dispatcher_wake(e->dispatcher, group);
}

static void on_revoked(void *context, uint32_t group, uint64_t seq)
{
    struct engine *e = context;
    dispatcher_revoke(e->dispatcher, group, seq);
}

static void on_handed_out(void *context, size_t command, const struct handout *h)
{
    struct engine *e = context;
    deliver_message(e, step_of(e, command)->assignment, h);
}

/* The commands that are being applied must not move: what follows from them waits until they are through. */
struct found {
    struct found *next;
    struct command command;
};

static void on_damaged(void *context, const struct corrupt_command *found)
{
    struct engine *e = context;
    struct found *f = arena_take(&e->arena, sizeof *f);
    if (!f)
        engine_die(e, SHUNT_NO_MEMORY, "no memory for what was found damaged");
    *f = (struct found){e->steps.found, {.kind = COMMAND_CORRUPT, .corrupt = *found}};
    e->steps.found = f;
}

static void collect_found(struct engine *e)
{
    for (; e->steps.found; e->steps.found = e->steps.found->next)
        collect_command(e, &e->steps.found->command, NULL); /* nobody waits for it */
}

static void on_assigned(void *context, size_t command, uint32_t count)
{
    struct engine *e = context;
    deliver_assigned(e, step_of(e, command)->assignment, count);
}

static void on_taken_up(void *context, size_t command, uint32_t entry, const struct handout *h)
{
    struct engine *e = context;
    kept_taken_up(e, step_of(e, command), entry, h);
}

static void on_group_gone(void *context, uint32_t group, int err)
{
    subscriptions_end(context, group, err);
}

struct ledger_sink collect_sink(struct engine *e)
{
    return (struct ledger_sink){.context = e,
                                .published = on_published,
                                .handed_out = on_handed_out,
                                .damaged = on_damaged,
                                .taken_up = on_taken_up,
                                .assigned = on_assigned,
                                .refused = on_refused,
                                .done = on_done,
                                .ready = on_ready,
                                .revoked = on_revoked,
                                .group_gone = on_group_gone,
                                .died = events_died,
                                .job_ended = events_job_ended};
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

void collect_apply(struct engine *e)
{
    struct steps *b = &e->steps;
    if (!b->collected)
        return;
    e->rows_seen = ledger_rows(e->ledger);
    while (b->applied < b->collected) {
        size_t from = b->applied;
        size_t applied = turn_apply(e, b->commands + from, b->collected - from);
        b->applied += applied;
        for (size_t i = from; i < b->applied; i++)
            tell(e, b->asked[i]);
        collect_found(e);
    }
    b->collected = b->applied = 0;
}
