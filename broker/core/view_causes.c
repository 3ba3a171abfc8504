/* view_causes: what the dead letters of a group died of. Touches nothing. */
#include "broker/core/cause.h"
#include "broker/core/fingerprint.h"
#include "broker/core/view_put.h"

#include <stdlib.h>

/* The first row to look at comes first. */
static int pressing(enum cause_state state)
{
    static const int order[CAUSE_STATES] = {
        [CAUSE_REGRESSED] = 0, [CAUSE_NEW] = 1, [CAUSE_SEEN] = 2, [CAUSE_MUTED] = 3, [CAUSE_RESOLVED] = 4};
    return order[state];
}

static int more_pressing(const void *a, const void *b)
{
    const struct cause *x = *(struct cause *const *)a, *y = *(struct cause *const *)b;
    int by = (y->r.dead > 0) - (x->r.dead > 0); /* those with letters before those without */
    if (!by)
        by = pressing(x->r.state) - pressing(y->r.state);
    if (!by)
        by = (y->r.dead > x->r.dead) - (y->r.dead < x->r.dead);
    if (!by)
        by = (y->r.last_ms > x->r.last_ms) - (y->r.last_ms < x->r.last_ms);
    return by ? by : (x->fingerprint > y->fingerprint) - (x->fingerprint < y->fingerprint);
}

static void put_shares(const struct ledger *l, struct mpack_buffer *to, const char *key,
                       const struct cause_shares *s)
{
    put_key(to, key);
    mpack_write_array(to, s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        mpack_write_map(to, 3);
        put_key(to, "name");
        mpack_write_cstr(to, s->all[i].name);
        put_uint(to, "count", s->all[i].count);
        put_time(l, to, "last", s->all[i].last_ms);
    }
}

static void put_samples(struct mpack_buffer *to, const struct cause *c)
{
    char name[TOPIC_BYTES_MAX + 32];
    put_key(to, "samples");
    mpack_write_array(to, c->r.samples_count);
    for (uint32_t i = 0; i < c->r.samples_count; i++)
        mpack_write_str(to, name, view_name(name, c->group->topic->r.name, c->r.samples[i]));
}

/* Somebody has died of it since anybody looked. */
static bool is_unattended(const struct cause_record *r)
{
    return r->dead && r->state != CAUSE_MUTED && r->last_ms > r->attended_ms;
}

/* Deaths by hour, the oldest first: the last entry is that of `hours_until`. */
static void put_hours(const struct ledger *l, const struct cause_record *r, struct mpack_buffer *to)
{
    put_time(l, to, "hours_until", r->hour * HOUR_MS);
    put_key(to, "hours");
    mpack_write_array(to, CAUSE_HOURS);
    for (int64_t i = 1; i <= CAUSE_HOURS; i++)
        mpack_write_uint(to, r->hours[(r->hour + i) % CAUSE_HOURS]);
}

#define CAUSE_FIELDS 19

static void put_cause_fields(const struct ledger *l, const struct cause *c, struct mpack_buffer *to)
{
    static const char *const states[] = CAUSE_STATE_NAMES, *const reasons[] = DEAD_REASON_NAMES;
    const struct cause_record *r = &c->r;
    char digits[FINGERPRINT_DIGITS + 1];
    fingerprint_write(digits, c->fingerprint);
    put_key(to, "cause");
    mpack_write_cstr(to, digits);
    put_slice(to, "title", slice_of(r->title));
    put_key(to, "state");
    mpack_write_cstr(to, states[r->state]);
    put_time(l, to, "state_since", r->state_ms);
    put_key(to, "reason");
    mpack_write_cstr(to, reasons[r->reason]);
    put_uint(to, "count", r->count);
    put_uint(to, "dead", r->dead);
    put_time(l, to, "first", r->first_ms);
    put_time(l, to, "last", r->last_ms);
    put_key(to, "unattended");
    mpack_write_bool(to, is_unattended(r));
    put_time(l, to, "attended", r->attended_ms);
    put_shares(l, to, "builds", &r->builds);
    put_shares(l, to, "hosts", &r->hosts);
    put_samples(to, c);
    put_slice(to, "owner", slice_of(r->owner));
    put_slice(to, "note", slice_of(r->note));
    put_slice(to, "topic", slice_of(c->group->topic->r.name));
    put_hours(l, r, to);
}

int view_causes(const struct view *v, struct group *g, struct mpack_buffer *to)
{
    if (!g->dlq)
        return SHUNT_BAD_ARGUMENT;
    struct cause **sorted = malloc((g->causes_count + 1) * sizeof(struct cause *));
    if (!sorted)
        return SHUNT_NO_MEMORY;
    if (g->causes_count)
        memcpy(sorted, g->causes, g->causes_count * sizeof(struct cause *));
    qsort(sorted, g->causes_count, sizeof(struct cause *), more_pressing);
    mpack_write_array(to, (uint32_t)g->causes_count);
    for (size_t i = 0; i < g->causes_count; i++) {
        ledger_looked(v->ledger, sizeof(struct cause_record));
        mpack_write_map(to, CAUSE_FIELDS);
        put_cause_fields(v->ledger, sorted[i], to);
    }
    free(sorted);
    return to->failed ? SHUNT_NO_MEMORY : 0;
}

int view_cause(const struct view *v, struct group *g, uint64_t fingerprint, struct mpack_buffer *to)
{
    struct ledger *l = v->ledger;
    struct history_record example = {0};
    struct slice value;
    if (!g->dlq)
        return SHUNT_BAD_ARGUMENT;
    const struct cause *c = cause_find(g, fingerprint);
    if (!c)
        return SHUNT_NOT_FOUND;
    struct key key = key_history(g->r.id, fingerprint, CAUSE_EXAMPLE_ROW);
    int err = store_get(v->txn, TABLE_CAUSE, key_slice(&key), &value);
    if (!err)
        err = example_decode(key_slice(&key), value, &example);
    if (err)
        return err == SHUNT_NOT_FOUND ? SHUNT_CORRUPT : err;
    ledger_looked(l, value.size);
    mpack_write_map(to, CAUSE_FIELDS + 1);
    put_cause_fields(l, c, to);
    put_key(to, "example");
    put_history_row(l, to, 1, &example, 0);
    return to->failed ? SHUNT_NO_MEMORY : 0;
}
