/* leases: when they begin and end in a turn. Whose they are is the dispatcher's (core/expiry.c). */
#include "broker/engine/leases.h"
#include "base/array.h"
#include "broker/engine/collect.h"
#include "broker/engine/outbox.h"
#include "broker/engine/silence.h"
#include "broker/engine/state.h"
#include "proto/errors.h"

#define EXPIRE_LEASES_MAX 4096 /* in one turn */

/* ---- what ends becomes commands ---- */

void lease_ended(void *context, const struct lease_end *end)
{
    struct engine *e = magic_of(context, engine, ENGINE_MAGIC);
    struct ended_list *l = &e->ended;
    struct session *s = session_of(end->holder);
    if (end->silent)
        silence_begins(s);
    if (!array_room(&l->items, &l->capacity, l->count + 1))
        engine_die(e, SHUNT_NO_MEMORY, "no memory for ended leases");
    l->items[l->count++] = (struct ended){.end = *end, .session = s};
}

/* One command for a run of leases of the same group and holder. */
static void add_run(struct engine *e, const struct ended *run, size_t count)
{
    const struct session *s = run->session;
    struct resolution *entries = arena_room(&e->arena, count * sizeof *entries);
    if (!entries)
        engine_die(e, SHUNT_NO_MEMORY, "no memory for ended leases");
    for (size_t i = 0; i < count; i++) {
        entries[i] = (struct resolution){.seq = run[i].end.seq,
                                         .token = run[i].end.token,
                                         .outcome = run[i].end.outcome,
                                         .delay_ms = DELAY_BACKOFF,
                                         .leased_ms = run[i].end.leased_ms,
                                         .started_ms = run[i].end.started_ms};
        keys_ended(&e->keys, run[i].end.group, run[i].end.seq, e->wall_ms - run[i].end.leased_ms,
                   keys_failed(run[i].end.outcome), e->mono_ms);
    }
    struct command c = {.kind = COMMAND_RESOLVE,
                        .resolve = {.group = run->end.group,
                                    .by = {slice_of(s->client), slice_of(s->host), slice_of(s->build)},
                                    .entries = entries,
                                    .count = (uint32_t)count}};
    collect_command(e, &c, NULL); /* nobody waits for it */
    e->turn_messages += count;
}

void leases_judge(struct engine *e)
{
    struct ended_list *l = &e->ended;
    for (size_t i = 0, from = 0; i < l->count; i++) {
        const struct ended *first = &l->items[from];
        bool last = i + 1 == l->count || l->items[i + 1].end.group != first->end.group ||
                    l->items[i + 1].session != first->session;
        if (last) {
            add_run(e, first, i + 1 - from);
            from = i + 1;
        }
    }
    l->count = 0;
}

/* ---- in a turn ---- */

/* After this turn's requests: what came in time is judged before what fell due. */
void leases_end(struct engine *e)
{
    struct holder *h;
    (void)dispatcher_expire(e->dispatcher, e->mono_ms, EXPIRE_LEASES_MAX, lease_ended, e);
    e->urgent |= e->ended.count > 0;
    leases_judge(e);
    while ((h = dispatcher_ask(e->dispatcher, e->mono_ms))) {
        struct session *s = session_of(h);
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
