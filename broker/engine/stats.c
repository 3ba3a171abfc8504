/* stats: what STATS is answered with. */
#include "broker/engine/gate.h"
#include "broker/engine/reply.h"
#include "broker/engine/requests.h"
#include "broker/engine/silence.h"
#include "broker/engine/state.h"
#include "broker/engine/transaction.h"

#include <stdio.h>
#include <unistd.h>

static uint64_t memory_bytes(void)
{
    unsigned long long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    if (fscanf(f, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    (void)fclose(f); /* read only */
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Made at most once for a state of the ledger. */
static const struct totals *totals_now(struct engine *e)
{
    struct totals *t = &e->totals;
    if (t->known && t->index == ledger_index(e->ledger))
        return t;
    *t = (struct totals){.known = true, .index = ledger_index(e->ledger)};
    t->sums = *view_sums(e->ledger);
    t->memory_bytes = memory_bytes();
    return t;
}

/* Of what this connection may see. What the server has at large is no topic's, and everybody's. */
static struct seen_sums sums_of(struct session *s)
{
    struct seen_sums seen;
    struct engine *e = s->engine;
    if (gate_sees_all(s)) {
        return (struct seen_sums){.sums = totals_now(e)->sums,
                                  .topics = view_topics_count(e->ledger),
                                  .causes = view_causes_count(e->ledger)};
    }
    struct view v = gate_view(s);
    view_sums_seen(&v, &seen);
    return seen;
}

/* How full the store is, and what bounds it. */
static void write_store(struct engine *e, struct mpack_buffer *out)
{
    struct store_usage usage;
    store_usage(e->store, &usage);
    struct room_left left = room_left(&e->room, &usage, store_disk_free(e->store));
    const struct {
        const char *key;
        uint64_t value;
    } bytes[] = {{"used", usage.used_bytes},
                 {"free", usage.free_bytes},
                 {"map", usage.map_bytes},
                 {"map_max", usage.map_bytes_max},
                 {"left", left.limit == ROOM_BY_DISK ? left.disk_bytes : left.map_bytes}};
    const uint32_t count = sizeof bytes / sizeof *bytes;
    mpack_write_cstr(out, "store_limit");
    mpack_write_cstr(out, room_cause_name(left.limit));
    mpack_write_cstr(out, "store_bytes");
    mpack_write_map(out, count);
    for (uint32_t i = 0; i < count; i++) {
        mpack_write_cstr(out, bytes[i].key);
        mpack_write_uint(out, bytes[i].value);
    }
}

void look_stats(struct engine *e, struct step *st)
{
    const struct totals *t = totals_now(e);
    const struct seen_sums seen = sums_of(st->session);
    const struct sums *sums = &seen.sums;
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {{"uptime_ms", (uint64_t)(e->mono_ms - e->begun_mono_ms)},
                   {"connections", e->sessions.count},
                   {"silent_consumers", dispatcher_silent_count(e->dispatcher)},
                   {"topics", seen.topics},
                   {"groups", sums->groups},
                   {"commits", e->commits},
                   {"requests_expired", e->requests_expired},
                   {"applied_index", ledger_index(e->ledger)},
                   {"memory_bytes", t->memory_bytes},
                   {"published", sums->published},
                   {"ready", sums->ready},
                   {"in_flight", sums->in_flight},
                   {"delayed", sums->delayed},
                   {"dead", sums->dead},
                   {"unattended", sums->unattended},
                   {"breakers_open", sums->breakers_open},
                   {"causes", seen.causes},
                   {"causes_shared", view_causes_shared(e->ledger)},
                   {"acked", sums->acked},
                   {"deliveries", sums->deliveries},
                   {"conservation_error", sums->conservation_error}};
    const uint32_t count = sizeof numbers / sizeof *numbers;
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_INFO);
    mpack_write_map(a.out, count + 6);
    mpack_write_cstr(a.out, "server");
    mpack_write_cstr(a.out, "shuntd " SHUNT_VERSION);
    for (uint32_t i = 0; i < count; i++) {
        mpack_write_cstr(a.out, numbers[i].key);
        mpack_write_uint(a.out, numbers[i].value);
    }
    mpack_write_cstr(a.out, "clock_error_ms");
    mpack_write_int(a.out, wall_clock_error_ms(&e->clock));
    mpack_write_cstr(a.out, "silent");
    if (gate_sees_clients(st->session))
        silence_write(e, a.out);
    else
        mpack_write_array(a.out, 0);
    mpack_write_cstr(a.out, "full");
    mpack_write_bool(a.out, e->room.fullness >= STORE_FULL);
    write_store(e, a.out);
    answer_end(st->session, st->request_id, &a, 0, NULL);
}
