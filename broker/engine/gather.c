/* gather: commands are collected in the order of the requests, applied as one batch, and answered in that
 * order.
 *
 * A request that must see what came before it (a listing, a subscription) flushes first. All batches of a
 * turn share one transaction, and nothing is told to anybody before that has been committed.
 */
#include "base/check.h"
#include "broker/engine/engine_private.h"
#include "proto/errors.h"
#include "proto/frame.h"

#include <stdlib.h>

#define COMMANDS_MAX         8192
#define COMMANDS_CROWDED_MAX 16 /* while much waits to be sent */

size_t gather_most(const struct engine *e)
{
    struct port_room room = engine_room(e);
    return engine_waiting(e) < port_room_mark(&room) / 2 ? COMMANDS_MAX : COMMANDS_CROWDED_MAX;
}

struct pending *gather_add(struct engine *e, const struct command *c, enum pending_kind kind,
                           struct session *s, uint64_t request_id)
{
    struct gather *g = &e->gather;
    if (g->count == g->capacity) {
        size_t capacity = g->capacity ? g->capacity * 2 : 64;
        struct command *commands = realloc(g->commands, capacity * sizeof *commands);
        if (commands)
            g->commands = commands;
        struct pending *pending = realloc(g->pending, capacity * sizeof *pending);
        if (pending)
            g->pending = pending;
        if (!commands || !pending)
            engine_die(e, SHUNT_NO_MEMORY, "no memory for a batch");
        g->capacity = capacity;
    }
    g->commands[g->count] = *c;
    g->pending[g->count] = (struct pending){.kind = kind, .session = s, .request_id = request_id};
    return &g->pending[g->count++];
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
static const char *reason(struct engine *e, size_t command, int err, const char *why)
{
    const struct command *c = &e->gather.commands[e->gather.done + command];
    struct slice topic, group;
    if (!err || why)
        return why;
    if (err == SHUNT_NO_SPACE)
        return room_text(e, c->kind);
    if (c->kind == COMMAND_JOB_CANCEL)
        return engine_no_job(e, c->job.id);
    command_names(c, &topic, &group);
    return engine_about(e, err, topic, group, HINT_MISSING);
}

/* Of a command of the batch being applied. */
static struct pending *pending_of(struct engine *e, size_t command)
{
    return &e->gather.pending[e->gather.done + command];
}

static void on_published(void *context, size_t command, int err, uint64_t first_seq, uint32_t accepted,
                         int refusal, const char *why)
{
    struct engine *e = context;
    struct pending *p = pending_of(e, command);
    p->err = err;
    p->why = err && why ? engine_text(e, "message %u: %s", accepted, why) : reason(e, command, err, why);
    p->first_seq = first_seq;
    p->count = accepted;
    p->refusal = refusal;
    uint32_t before = e->gather.commands[e->gather.done + command].publish.stored;
    e->turn_messages += err || accepted < before ? 0 : accepted - before;
    uint64_t rows = ledger_rows(e->ledger) - e->rows_seen;
    if (rows && p->session)
        share_count(p->session, rows);
    e->rows_seen += rows;
}

static void on_refused(void *context, size_t command, uint32_t entry, int err)
{
    struct engine *e = context;
    struct pending *p = pending_of(e, command);
    const struct command *c = &e->gather.commands[e->gather.done + command];
    if (p->indexes) /* of a RESOLVE that is applied in parts, entry 0 is the first of this part */
        p->refused[p->refused_count++] =
            (struct refused_entry){p->indexes[p->entries - c->resolve.count + entry], err};
}

static void on_done(void *context, size_t command, int err, const char *why, uint64_t job, uint64_t count)
{
    struct engine *e = context;
    struct pending *p = pending_of(e, command);
    p->err = err;
    p->why = reason(e, command, err, why);
    p->first_seq = job;
    p->count = count;
}

/* ---- replies ---- */

static void answer_publish(const struct pending *p)
{
    size_t frame;
    struct mpack_buffer *out = reply_begin(p->session, p->request_id, 3, &frame);
    mpack_write_uint(out, p->count);
    mpack_write_uint(out, p->first_seq);
    mpack_write_int(out, p->refusal);
    frame_end(out, frame);
}

static int by_index(const void *a, const void *b)
{
    const struct refused_entry *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

static void answer_resolve(const struct pending *p)
{
    size_t frame;
    struct mpack_buffer *out = reply_begin(p->session, p->request_id, 1, &frame);
    if (p->refused_count)
        qsort(p->refused, p->refused_count, sizeof *p->refused, by_index);
    mpack_write_array(out, p->refused_count * 2);
    for (uint32_t i = 0; i < p->refused_count; i++) {
        mpack_write_uint(out, p->refused[i].index);
        mpack_write_int(out, p->refused[i].code);
    }
    frame_end(out, frame);
}

/* The fields that follow OK depend on the request. */
static void answer_done(const struct pending *p)
{
    size_t frame;
    bool counted = p->op == OP_DLQ_REDRIVE || p->op == OP_DLQ_PURGE;
    bool job = counted || p->op == OP_TOPIC_DELETE || p->op == OP_TOPIC_PURGE || p->op == OP_GROUP_DELETE;
    bool clock = p->op == OP_CLOCK_SET;
    struct mpack_buffer *out = reply_begin(p->session, p->request_id, counted ? 2 : job || clock, &frame);
    if (job)
        mpack_write_uint(out, p->first_seq);
    if (counted)
        mpack_write_uint(out, p->count);
    if (clock)
        mpack_write_int(out, p->session->engine->clock_error_ms);
    frame_end(out, frame);
}

static void answer(const struct pending *p)
{
    if (!p->session || p->kind == PENDING_NONE)
        return;
    if (p->err == SHUNT_PROTOCOL) {
        reply_broken(p->session, p->request_id, p->why);
        return;
    }
    if (p->err) {
        reply_error(p->session, p->request_id, p->err, p->why);
        return;
    }
    if (!p->request_id) /* it asked for no reply */
        return;
    switch (p->kind) {
    case PENDING_PUBLISH:
        answer_publish(p);
        return;
    case PENDING_RESOLVE:
        answer_resolve(p);
        return;
    case PENDING_DONE:
        answer_done(p);
        return;
    case PENDING_OK:
        reply_ok(p->session, p->request_id);
        return;
    case PENDING_NONE:
        return;
    }
}

/* Of a request in parts, the last one is answered; or that which was refused, and true is returned. */
static bool part_ends_it(const struct command *c, const struct pending *p)
{
    if (c->kind == COMMAND_PUBLISH)
        divide_published(p->session, &c->publish, p);
    else
        divide_resolved(p->session, p);
    return p->session->division.over;
}

void gather_flush(struct engine *e)
{
    struct gather *g = &e->gather;
    const struct ledger_sink sink = {.context = e,
                                     .published = on_published,
                                     .refused = on_refused,
                                     .done = on_done,
                                     .ready = sink_ready,
                                     .revoked = sink_revoked,
                                     .group_gone = sink_group_gone,
                                     .died = sink_died,
                                     .job_ended = sink_job_ended};
    e->rows_seen = ledger_rows(e->ledger);
    while (g->done < g->count) {
        size_t from = g->done, applied = turn_apply(e, g->commands + from, g->count - from, &sink);
        g->done += applied;
        for (size_t i = from; i < g->done; i++) {
            if (!g->pending[i].more || part_ends_it(&g->commands[i], &g->pending[i]))
                answer(&g->pending[i]);
            if (g->pending[i].kind == PENDING_DONE)
                events_act(e, &g->commands[i], &g->pending[i]);
            if (g->pending[i].session)
                session_count_output(g->pending[i].session);
        }
    }
    g->count = g->done = 0;
}

/* ---- leases that ended by themselves ---- */

void ends_add(void *context, const struct lease_end *end)
{
    struct ends *ends = context;
    if (end->silent)
        silence_begins(holder_owner(end->holder));
    if (ends->count == ends->capacity) {
        size_t capacity = ends->capacity ? ends->capacity * 2 : 64;
        struct ended *items = realloc(ends->items, capacity * sizeof *items);
        if (!items)
            engine_die(ends->engine, SHUNT_NO_MEMORY, "no memory for ended leases");
        ends->items = items;
        ends->capacity = capacity;
    }
    ends->items[ends->count++] = (struct ended){.end = *end, .session = holder_owner(end->holder)};
}

static struct slice text(const char *s)
{
    return (struct slice){s, __builtin_strlen(s)};
}

/* One command for a run of leases of the same group and holder. */
static void gather_run(struct engine *e, const struct ended *run, size_t count)
{
    const struct session *s = run->session;
    struct resolution *entries = arena_take(&e->arena, count * sizeof *entries);
    if (!entries)
        engine_die(e, SHUNT_NO_MEMORY, "no memory for ended leases");
    for (size_t i = 0; i < count; i++)
        entries[i] = (struct resolution){.seq = run[i].end.seq,
                                         .token = run[i].end.token,
                                         .outcome = run[i].end.outcome,
                                         .delay_ms = DELAY_BACKOFF,
                                         .leased_ms = run[i].end.leased_ms,
                                         .started_ms = run[i].end.started_ms};
    struct command c = {.kind = COMMAND_RESOLVE,
                        .resolve = {.group = run->end.group,
                                    .by = {text(s->client), text(s->host), text(s->build)},
                                    .entries = entries,
                                    .count = (uint32_t)count}};
    (void)gather_add(e, &c, PENDING_NONE, NULL, 0); /* nobody waits for it */
    e->turn_messages += count;
}

void ends_gather(struct ends *ends)
{
    for (size_t i = 0, from = 0; i < ends->count; i++) {
        const struct ended *first = &ends->items[from];
        bool last = i + 1 == ends->count || ends->items[i + 1].end.group != first->end.group ||
                    ends->items[i + 1].session != first->session;
        if (last) {
            gather_run(ends->engine, first, i + 1 - from);
            from = i + 1;
        }
    }
    free(ends->items);
    *ends = (struct ends){.engine = ends->engine};
}
