/* request_keys: KEY_LIST, which keys weigh most. */
#include "broker/engine/reply.h"
#include "broker/engine/requests.h"
#include "broker/engine/state.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"

#include <stdlib.h>

#define BLOCKED "blocked"
static const char *const measures[KEY_MEASURES] = KEY_MEASURE_NAMES;

/* The protocol has no fractions. */
static uint64_t milli(double per_second)
{
    return per_second < 1e15 ? (uint64_t)(per_second * 1000 + 0.5) : UINT64_MAX;
}

static void write_uint(struct mpack_buffer *out, const char *key, uint64_t value)
{
    mpack_write_cstr(out, key);
    mpack_write_uint(out, value);
}

static void write_key(struct mpack_buffer *out, const struct key_weight *w)
{
    mpack_write_map(out, 3);
    mpack_write_cstr(out, "key");
    mpack_write_bin(out, w->key.data, w->key.size);
    write_uint(out, "milli", milli(w->per_second));
    write_uint(out, "error_milli", milli(w->error));
}

/* All but the keys. `s` NULL: nothing is known. */
static void write_measure(const struct engine *e, struct mpack_buffer *out, enum key_measure measure,
                          struct key_sketch *s)
{
    double all = s ? key_sketch_per_second(s, e->mono_ms) : 0;
    uint32_t counters = e->keys.limits.counters;
    mpack_write_cstr(out, "by");
    mpack_write_cstr(out, measures[measure]);
    write_uint(out, "counters", counters);
    write_uint(out, "half_life_ms", (uint64_t)e->keys.limits.half_life_ms);
    write_uint(out, "all_milli", milli(all));
    write_uint(out, "bound_milli", s && counters && s->count == counters ? milli(all / counters) : 0);
    mpack_write_cstr(out, "since");
    if (s && s->begun)
        mpack_write_int(out, ledger_shown_ms(e->ledger, e->wall_ms - (e->mono_ms - s->begun_ms)));
    else
        mpack_write_nil(out);
}

/* `w` NULL: it had no message with a key, or not for long. */
static int write_measured(struct engine *e, struct mpack_buffer *out, enum key_measure measure,
                          uint32_t limit, struct key_watch *w)
{
    struct key_sketch *s = w ? &w->sketch[measure] : NULL;
    struct key_weight *top = s ? malloc((s->count + 1) * sizeof *top) : NULL;
    if (s && !top)
        return SHUNT_NO_MEMORY;
    uint32_t count = top ? key_sketch_top(s, e->mono_ms, limit < s->count ? limit : s->count, top) : 0;
    mpack_write_map(out, 7);
    write_measure(e, out, measure, s);
    mpack_write_cstr(out, "keys");
    mpack_write_array(out, count);
    for (uint32_t i = 0; i < count; i++)
        write_key(out, &top[i]);
    free(top);
    return out->failed ? SHUNT_NO_MEMORY : 0;
}

/* The group that is named, or else the first one of every topic. */
static struct group *find_group(struct engine *e, struct step *st)
{
    if (!st->group.size)
        st->group = slice_of("default");
    return look_find_group(e, st);
}

static int write_blocked(struct engine *e, struct group *g, uint32_t limit, struct mpack_buffer *out)
{
    struct view v = transaction_view(e);
    return view_blocked_keys(&v, g, limit, out);
}

void look_keys(struct engine *e, struct step *st)
{
    const struct key_list_request *q = &st->fields.key_list;
    bool blocked = slice_is(q->by, BLOCKED);
    int by = q->by.size ? word_of(q->by, measures, KEY_MEASURES) : KEY_RATE;
    if (by < 0 && !blocked) {
        reply_error(st->session, st->request_id, SHUNT_BAD_ARGUMENT,
                    "by is rate, waiting, in_flight, failures or " BLOCKED);
        return;
    }
    struct group *g = NULL;
    if (blocked || by != KEY_RATE || st->group.size) {
        g = find_group(e, st);
        if (!g)
            return;
    } else if (!ledger_topic(e->ledger, st->topic)) {
        reply_missing(st->session, st->request_id, SHUNT_UNKNOWN_TOPIC, st->topic, st->group);
        return;
    }
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_KEYS);
    int err = blocked ? write_blocked(e, g, q->limit, a.out)
                      : write_measured(e, a.out, (enum key_measure)by, q->limit,
                                       by == KEY_RATE ? keys_of_topic(&e->keys, st->topic)
                                                      : keys_of_group(&e->keys, ledger_group_id(g)));
    answer_end(st->session, st->request_id, &a, err, NULL);
}
