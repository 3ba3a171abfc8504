/* breaker: see breaker.h. */
#include "broker/core/breaker.h"
#include "base/check.h"
#include "broker/core/group_queue.h"
#include "broker/core/order.h"

#include <stdlib.h>
#include <string.h>

/* With the first ack two may be out, as if the probe had made room for one more. */
#define RAMP_BEGINS 2u
/* So many failures, and more than half of the outcomes, raise a doubt. */
#define DOUBT_FAILURES 3u
/* Those that were dead before share this key, which no message has. */
#define KEY_OF_THE_DEAD UINT64_MAX

/* ---- settings ---- */

bool breaker_is_on(const struct group *g)
{
    return !g->origin && group_setting(g, POLICY_breaker) == BREAKER_ON;
}

static uint32_t window(const struct group *g)
{
    return (uint32_t)group_setting(g, POLICY_breaker_window);
}

/* Failures that open it. */
static uint32_t needed(const struct group *g)
{
    return (uint32_t)((window(g) * (uint64_t)group_setting(g, POLICY_breaker_threshold) + 99) / 100);
}

static uint32_t places_of_a_key(const struct group *g)
{
    return window(g) / 4 ? window(g) / 4 : 1;
}

/* ---- the record ---- */

static void dirty(struct ledger *l, struct breaker *b)
{
    const struct breaker_record *r = &b->r;
    b->group->watched = r->state != BREAKER_CLOSED || r->count;
    if (b->charged != l->batch) {
        b->charged = l->batch;
        l->changed = true;
        l->meter.bytes += COST_BREAKER_BYTES;
    }
    sums_stale(l, b->group);
    if (b->dirty)
        return;
    b->dirty = true;
    b->dirty_next = l->dirty_breakers;
    l->dirty_breakers = b;
}

static struct breaker *make(struct group *g)
{
    struct breaker *b = calloc(1, sizeof *b);
    if (b)
        b->group = g;
    g->breaker = b;
    return b;
}

static uint32_t failures(const struct breaker_record *r)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < r->count; i++)
        sum += r->entries[i].seq != 0;
    return sum;
}

static void take_out(struct breaker_record *r, uint32_t at)
{
    check(at < r->count);
    r->count--;
    memmove(&r->entries[at], &r->entries[at + 1], (r->count - at) * sizeof r->entries[0]);
}

/* False: it is not there. */
static bool take_out_message(struct breaker_record *r, uint64_t seq)
{
    for (uint32_t i = 0; i < r->count; i++) {
        if (r->entries[i].seq == seq) {
            take_out(r, i);
            return true;
        }
    }
    return false;
}

static void put(struct breaker_record *r, uint32_t most, uint64_t seq, uint64_t key)
{
    while (r->count >= most)
        take_out(r, 0);
    r->entries[r->count++] = (struct breaker_entry){seq, key};
}

/* ---- states ---- */

static void tell(struct ledger *l, const struct breaker *b)
{
    struct result *result = result_add(l, RESULT_BREAKER);
    result->breaker.group = b->group->r.id;
    result->breaker.open = b->r.state != BREAKER_CLOSED;
    result->breaker.failed = result->breaker.open ? failures(&b->r) : 0;
    result->breaker.open_ms = result->breaker.open ? 0 : l->now_ms - b->r.since_ms;
}

static void close_it(struct ledger *l, struct breaker *b)
{
    struct breaker_record *r = &b->r;
    bool was_open = r->state != BREAKER_CLOSED;
    r->state = BREAKER_CLOSED;
    r->count = r->limit = r->pauses = 0;
    r->until_ms = 0;
    if (was_open) {
        tell(l, b);
        r->since_ms = l->now_ms;
    }
    ledger_tell_ready(l, b->group);
    dirty(l, b);
}

/* From half of the bound to all of it: consumers of many groups that share a downstream do not come back at once. */
static void pause_it(struct ledger *l, struct breaker *b)
{
    struct breaker_record *r = &b->r;
    int64_t bound = group_setting(b->group, POLICY_breaker_pause_min_ms);
    int64_t most = group_setting(b->group, POLICY_breaker_pause_max_ms);
    for (uint32_t i = 0; i < r->pauses && bound < most; i++)
        bound *= 2;
    bound = bound < most ? bound : most;
    r->pauses++;
    r->state = BREAKER_OPEN;
    r->count = r->limit = 0;
    r->until_ms = l->now_ms + (bound + 1) / 2 + (int64_t)ledger_random(l, (uint64_t)bound / 2 + 1);
    group_queue_at(l, QUEUE_BREAKER, b->group, r->until_ms);
    dirty(l, b);
}

static void trip(struct ledger *l, struct breaker *b)
{
    b->r.state = BREAKER_OPEN;
    b->r.since_ms = l->now_ms;
    b->r.trips++;
    tell(l, b);
    pause_it(l, b);
}

uint32_t breaker_may(const struct group *g)
{
    const struct breaker_record *r = g->breaker ? &g->breaker->r : NULL;
    if (!r || r->state == BREAKER_CLOSED)
        return BREAKER_NO_LIMIT;
    return r->limit > r->count ? r->limit - r->count : 0;
}

bool breaker_prefers_new(const struct group *g)
{
    const struct breaker_record *r = &g->breaker->r;
    if (r->state != BREAKER_CLOSED)
        return true;
    uint32_t failed = failures(r);
    return failed >= DOUBT_FAILURES && 2 * failed > r->count;
}

/* ---- outcomes ---- */

void breaker_out(struct ledger *l, struct group *g, uint64_t seq)
{
    struct breaker_record *r = &g->breaker->r;
    if (r->state == BREAKER_CLOSED)
        return;
    put(r, BREAKER_WINDOW_MAX, seq, 0);
    dirty(l, g->breaker);
}

void breaker_left(struct ledger *l, struct group *g, uint64_t seq)
{
    struct breaker_record *r = &g->breaker->r;
    if (r->state == BREAKER_CLOSED || !take_out_message(r, seq))
        return;
    ledger_tell_ready(l, g);
    dirty(l, g->breaker);
}

/* Of one that was handed out since the pause. */
static void ramp_up(struct ledger *l, struct breaker *b)
{
    struct breaker_record *r = &b->r;
    if (r->state == BREAKER_HALF_OPEN) {
        r->state = BREAKER_RAMP;
        r->limit = RAMP_BEGINS;
        r->well_ms = l->now_ms;
    } else {
        r->limit++;
    }
    if (r->limit >= window(b->group)) {
        close_it(l, b);
        return;
    }
    ledger_tell_ready(l, b->group);
    dirty(l, b);
}

void breaker_acked(struct ledger *l, struct group *g, uint64_t seq)
{
    struct breaker *b = g->breaker;
    struct breaker_record *r = &b->r;
    bool there = take_out_message(r, seq);
    if (r->state != BREAKER_CLOSED) {
        if (there)
            ramp_up(l, b);
        return;
    }
    put(r, window(g), 0, 0);
    if (!failures(r))
        r->count = 0;
    dirty(l, b);
}

/* A failure while it is closed: one place for the message, and no more than a quarter for its key. */
static int note_failure(struct ledger *l, struct breaker *b, uint64_t seq, const struct attempt_record *row)
{
    struct breaker_record *r = &b->r;
    struct group *g = b->group;
    uint64_t key = row->generation ? KEY_OF_THE_DEAD : row->key;
    int err = key ? 0 : order_load_key(l, g, seq, &key);
    if (err)
        return err;
    (void)take_out_message(r, seq);
    uint32_t same = 0, first = 0;
    for (uint32_t i = r->count; key && i-- > 0;) {
        if (r->entries[i].seq && r->entries[i].key == key) {
            same++;
            first = i;
        }
    }
    if (same >= places_of_a_key(g))
        take_out(r, first);
    put(r, window(g), seq, key);
    if (failures(r) >= needed(g))
        trip(l, b);
    else
        dirty(l, b);
    return 0;
}

/* The probe, or one of the ramp. */
static void ramp_down(struct ledger *l, struct breaker *b)
{
    b->r.limit--;
    if (!b->r.limit)
        pause_it(l, b);
    else
        dirty(l, b);
    ledger_tell_ready(l, b->group);
}

int breaker_failed(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row,
                   int64_t leased_ms, bool *ret_spared)
{
    *ret_spared = false;
    if (!breaker_is_on(g))
        return 0;
    struct breaker *b = g->breaker ? g->breaker : make(g);
    if (!b)
        return SHUNT_NO_MEMORY;
    struct breaker_record *r = &b->r;
    bool before = leased_ms < r->well_ms; /* handed out when the downstream was away */
    if (r->state == BREAKER_CLOSED && !before)
        return note_failure(l, b, seq, row);
    bool judges = r->state != BREAKER_CLOSED && take_out_message(r, seq);
    *ret_spared = r->state != BREAKER_RAMP || before || !judges;
    if (judges)
        ramp_down(l, b);
    return 0;
}

void breaker_parted(struct ledger *l, struct group *g)
{
    const struct group_counts *n = &g->r.counts;
    enum breaker_state state = g->breaker->r.state;
    if ((state == BREAKER_HALF_OPEN || state == BREAKER_RAMP) && !(n->ready + n->delayed + n->in_flight))
        close_it(l, g->breaker);
}

/* ---- time, settings, an operator ---- */

static void pause_is_over(struct ledger *l, struct breaker *b)
{
    const struct group_counts *n = &b->group->r.counts;
    if (n->ready + n->delayed + n->in_flight < needed(b->group)) {
        close_it(l, b);
        return;
    }
    b->r.state = BREAKER_HALF_OPEN;
    b->r.limit = 1;
    b->r.until_ms = 0;
    ledger_tell_ready(l, b->group);
    dirty(l, b);
}

int breakers_tick(struct ledger *l)
{
    size_t count = group_queue_take(l, QUEUE_BREAKER, l->now_ms);
    for (size_t i = 0; i < count; i++) {
        struct breaker *b = l->taken[i]->breaker;
        if (!b || b->r.state != BREAKER_OPEN)
            continue;
        if (b->r.until_ms > l->now_ms || !ledger_has_half_room(l, COST_BREAKER_BYTES))
            group_queue_at(l, QUEUE_BREAKER, b->group, b->r.until_ms);
        else
            pause_is_over(l, b);
    }
    return 0;
}

void breaker_settings(struct ledger *l, struct group *g)
{
    if (g->watched && !breaker_is_on(g))
        close_it(l, g->breaker);
}

int apply_breaker_reset(struct ledger *l, const struct group_command *c)
{
    int err = 0;
    const char *why = NULL;
    struct group *g = ledger_group(l, c->topic, c->group, &err);
    if (g && g->origin) {
        err = SHUNT_BAD_ARGUMENT;
        why = "the groups of a dead-letter queue have no breaker: nothing dies in them";
    } else if (g && g->watched) {
        close_it(l, g->breaker);
    }
    ledger_tell_done(l, err, why, 0, 0);
    return 0;
}

/* ---- load and flush ---- */

static bool is_empty(const struct breaker_record *r)
{
    return r->state == BREAKER_CLOSED && !r->count && !r->trips;
}

int breakers_flush(struct ledger *l)
{
    int err = 0;
    for (; !err && l->dirty_breakers; l->dirty_breakers = l->dirty_breakers->dirty_next) {
        struct breaker *b = l->dirty_breakers;
        struct key key = key_id(b->group->r.id);
        b->dirty = false;
        if (is_empty(&b->r)) {
            err = store_del(l->txn, TABLE_BREAKER, key_slice(&key), NULL);
            err = err == SHUNT_NOT_FOUND ? 0 : err;
            continue;
        }
        size_t size = breaker_encode(l->record, key_slice(&key), &b->r);
        err = store_put(l->txn, TABLE_BREAKER, key_slice(&key), (struct slice){l->record, size});
    }
    return err;
}

static int load_row(struct ledger *l, struct slice key, struct slice value)
{
    uint32_t id;
    struct group *g = key_read_id(key, &id) ? catalog_group_by_id(l, id) : NULL;
    if (!g || g->breaker)
        return SHUNT_CORRUPT;
    if (g->r.dropped)
        return 0;
    struct breaker *b = make(g);
    if (!b)
        return SHUNT_NO_MEMORY;
    int err = breaker_decode(key, value, &b->r);
    if (err)
        return err;
    g->watched = b->r.state != BREAKER_CLOSED || b->r.count;
    sums_stale(l, g);
    if (b->r.state == BREAKER_OPEN)
        group_queue_at(l, QUEUE_BREAKER, g, b->r.until_ms);
    return 0;
}

int breakers_load(struct ledger *l, char *ret_why, size_t why_bytes)
{
    struct store_cursor *cursor;
    struct slice key, value;
    int err = store_cursor_open(l->txn, TABLE_BREAKER, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value);
    while (!err) {
        err = load_row(l, key, value);
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    if (err == SHUNT_NOT_FOUND)
        return 0;
    ledger_say(ret_why, why_bytes, "a row of the breaker table cannot be read");
    return err;
}

void breaker_forget(struct ledger *l, struct group *g)
{
    struct breaker **at = &l->dirty_breakers;
    while (*at && *at != g->breaker)
        at = &(*at)->dirty_next;
    if (*at)
        *at = g->breaker->dirty_next;
    free(g->breaker);
    g->breaker = NULL;
    g->watched = false;
}

void breakers_free(struct ledger *l)
{
    for (size_t i = 0; i < l->groups_count; i++)
        breaker_forget(l, l->groups[i]);
}
