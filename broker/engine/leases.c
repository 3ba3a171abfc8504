/* leases: when they begin and end in a turn. Whose they are is the dispatcher's (core/expiry.c). */
#include "broker/engine/leases.h"
#include "broker/engine/collect.h"
#include "broker/engine/outbox.h"
#include "broker/engine/silence.h"
#include "broker/engine/state.h"
#include "proto/errors.h"

#include <stdlib.h>

#define EXPIRE_LEASES_MAX 4096 /* in one turn */

/* ---- what ends becomes commands ---- */

void ends_note(void *context, const struct lease_end *end)
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

/* One command for a run of leases of the same group and holder. */
static void add_run(struct engine *e, const struct ended *run, size_t count)
{
    const struct session *s = run->session;
    struct resolution *entries = arena_take(&e->arena, count * sizeof *entries);
    if (!entries)
        engine_die(e, SHUNT_NO_MEMORY, "no memory for ended leases");
    for (size_t i = 0; i < count; i++) {
        entries[i] = (struct resolution){.seq = run[i].end.seq,
                                         .token = run[i].end.token,
                                         .outcome = run[i].end.outcome,
                                         .delay_ms = DELAY_BACKOFF,
                                         .leased_ms = run[i].end.leased_ms,
                                         .started_ms = run[i].end.started_ms};
    }
    struct command c = {.kind = COMMAND_RESOLVE,
                        .resolve = {.group = run->end.group,
                                    .by = {slice_of(s->client), slice_of(s->host), slice_of(s->build)},
                                    .entries = entries,
                                    .count = (uint32_t)count}};
    collect_command(e, &c, NULL); /* nobody waits for it */
    e->turn_messages += count;
}

void ends_batch(struct ends *ends)
{
    for (size_t i = 0, from = 0; i < ends->count; i++) {
        const struct ended *first = &ends->items[from];
        bool last = i + 1 == ends->count || ends->items[i + 1].end.group != first->end.group ||
                    ends->items[i + 1].session != first->session;
        if (last) {
            add_run(ends->engine, first, i + 1 - from);
            from = i + 1;
        }
    }
    free(ends->items);
    *ends = (struct ends){.engine = ends->engine};
}

/* ---- in a turn ---- */

/* After this turn's requests: what came in time is judged before what fell due. */
void leases_end(struct engine *e)
{
    struct ends ends = {.engine = e};
    struct holder *h;
    (void)dispatcher_expire(e->dispatcher, e->mono_ms, EXPIRE_LEASES_MAX, ends_note, &ends);
    e->urgent |= ends.count > 0;
    ends_batch(&ends);
    while ((h = dispatcher_ask(e->dispatcher, e->mono_ms))) {
        struct session *s = holder_owner(h);
        s->ask_ms = e->mono_ms;
        (void)session_out(s);
        e->urgent = true;
    }
}

/* The leases of what leaves now begin now: the commit, which may have taken long, is no consumer's time. */
void leases_settle(struct engine *e)
{
    int64_t wall_ms, mono_ms;
    if (dispatcher_is_settled(e->dispatcher))
        return;
    wall_clock_now(&e->clock, &wall_ms, &mono_ms);
    dispatcher_settle(e->dispatcher, mono_ms > e->mono_ms ? mono_ms - e->mono_ms : 0);
}
