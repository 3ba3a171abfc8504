/* cause: what dead letters died of, by the fingerprint of the fault.
 *
 * Each group keeps a bounded number of causes, in memory and as a record each, which is written once in a batch,
 * as its own. A dead letter names the cause that counts it, so that it is taken off the same one when it leaves.
 * What comes when there is no room for another cause is counted by one that all of those share.
 */
#include "broker/core/cause.h"
#include "base/array.h"
#include "base/check.h"
#include "base/search.h"
#include "base/utf8.h"
#include "broker/core/cause_share.h"
#include "broker/core/fingerprint.h"
#include "broker/core/history.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(FINGERPRINT_TITLE_BYTES <= CAUSE_TITLE_BYTES_MAX, "a record has room for the title");

/* ---- in memory ---- */

static int order(const void *element, const void *key)
{
    uint64_t have = (*(struct cause *const *)element)->fingerprint, want = *(const uint64_t *)key;
    return (have > want) - (have < want);
}

static size_t position(const struct group *g, uint64_t fingerprint)
{
    return search_first(g->causes, g->causes_count, sizeof *g->causes, &fingerprint, order);
}

struct cause *cause_find(const struct group *g, uint64_t fingerprint)
{
    size_t at = position(g, fingerprint);
    return at < g->causes_count && g->causes[at]->fingerprint == fingerprint ? g->causes[at] : NULL;
}

static struct cause *insert(struct ledger *l, struct group *g, uint64_t fingerprint)
{
    struct cause *c =
        array_room(&g->causes, &g->causes_capacity, g->causes_count + 1) ? calloc(1, sizeof *c) : NULL;
    if (!c)
        return NULL;
    size_t at = position(g, fingerprint);
    memmove(g->causes + at + 1, g->causes + at, (g->causes_count - at) * sizeof(struct cause *));
    g->causes[at] = c;
    g->causes_count++;
    l->causes_count++;
    l->causes_shared += fingerprint == CAUSE_OTHERS;
    c->fingerprint = fingerprint;
    c->group = g;
    return c;
}

static void forget_dirty(struct ledger *l, const struct cause *c)
{
    struct cause **at = &l->dirty_causes;
    if (!c->dirty)
        return;
    while (*at != c)
        at = &(*at)->dirty_next;
    *at = c->dirty_next;
}

static void take_out(struct ledger *l, struct group *g, size_t at)
{
    struct cause *c = g->causes[at];
    forget_dirty(l, c);
    g->causes_count--;
    l->causes_count--;
    l->causes_shared -= c->fingerprint == CAUSE_OTHERS;
    free(c);
    memmove(g->causes + at, g->causes + at + 1, (g->causes_count - at) * sizeof(struct cause *));
}

void causes_forget(struct ledger *l, struct group *g)
{
    while (g->causes_count)
        take_out(l, g, g->causes_count - 1);
    free(g->causes);
    g->causes = NULL;
    g->causes_capacity = 0;
}

void causes_free(struct ledger *l)
{
    for (size_t i = 0; i < l->groups_count; i++)
        causes_forget(l, l->groups[i]);
}

void cause_dirty(struct ledger *l, struct cause *c)
{
    if (c->charged != l->batch) {
        c->charged = l->batch;
        l->changed = true;
        l->meter.bytes += COST_CAUSE_BYTES;
    }
    if (c->dirty)
        return;
    c->dirty = true;
    c->dirty_next = l->dirty_causes;
    l->dirty_causes = c;
}

/* ---- load and flush ---- */

static int load_row(struct ledger *l, struct slice key, struct slice value)
{
    uint32_t id;
    uint64_t fingerprint;
    if (!key_read_id_seq(key, &id, &fingerprint)) /* an example */
        return 0;
    struct group *g = catalog_group_by_id(l, id);
    if (!g)
        return SHUNT_CORRUPT;
    if (g->r.dropped)
        return 0;
    struct cause *c = insert(l, g, fingerprint);
    int err = c ? cause_decode(key, value, &c->r) : SHUNT_NO_MEMORY;
    if (!err)
        g->r.unattended_old |= c->r.unattended_old;
    return err;
}

int causes_load(struct ledger *l, char *ret_why, size_t why_bytes)
{
    struct store_cursor *cursor;
    struct slice key, value;
    int err = store_cursor_open(l->txn, TABLE_CAUSE, &cursor);
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
    ledger_say(ret_why, why_bytes, "a row of the cause table cannot be read");
    return err;
}

int causes_flush(struct ledger *l)
{
    int err = 0;
    for (; !err && l->dirty_causes; l->dirty_causes = l->dirty_causes->dirty_next) {
        struct cause *c = l->dirty_causes;
        struct key key = key_id_seq(c->group->r.id, c->fingerprint);
        size_t size = cause_encode(l->record, key_slice(&key), &c->r);
        err = store_put(l->txn, TABLE_CAUSE, key_slice(&key), (struct slice){l->record, size});
        c->dirty = false;
    }
    return err;
}

/* ---- a new one ---- */

/* Make room: of those that have no letter in the DLQ any more, the one that has not happened for longest goes. */
static int evict(struct ledger *l, struct group *g, bool *ret_gone)
{
    size_t oldest = SIZE_MAX;
    for (size_t i = 0; i < g->causes_count; i++) {
        const struct cause_record *r = &g->causes[i]->r;
        if (!r->dead && g->causes[i]->fingerprint != CAUSE_OTHERS &&
            (oldest == SIZE_MAX || r->last_ms < g->causes[oldest]->r.last_ms))
            oldest = i;
    }
    *ret_gone = oldest != SIZE_MAX;
    if (!*ret_gone)
        return 0;
    uint64_t fingerprint = g->causes[oldest]->fingerprint;
    struct key key = key_id_seq(g->r.id, fingerprint);
    struct key example = key_history(g->r.id, fingerprint, CAUSE_EXAMPLE_ROW);
    take_out(l, g, oldest);
    int err = ledger_del(l, TABLE_CAUSE, key_slice(&key), NULL);
    if (!err || err == SHUNT_NOT_FOUND) /* made in this batch */
        err = ledger_del(l, TABLE_CAUSE, key_slice(&example), NULL);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

static bool is_full(const struct ledger *l, const struct group *g)
{
    size_t own = g->causes_count - (cause_find(g, CAUSE_OTHERS) != NULL);
    return own >= CAUSES_MAX || l->causes_count >= CAUSES_TOTAL_MAX;
}

static int put_example(struct ledger *l, const struct cause *c, const struct history_record *last)
{
    char text[HISTORY_TEXT_BYTES_MAX];
    struct history_record example = history_cleaned(l, last, text);
    struct key key = key_history(c->group->r.id, c->fingerprint, CAUSE_EXAMPLE_ROW);
    size_t size = example_encode(l->record, key_slice(&key), &example);
    return ledger_put(l, TABLE_CAUSE, key_slice(&key), (struct slice){l->record, size});
}

static int make(struct ledger *l, struct group *g, uint64_t fingerprint, const struct fault *f,
                const struct history_record *last, struct cause **ret)
{
    static const char others[] = "causes beyond the limit";
    bool room = !is_full(l, g);
    int err = room ? 0 : evict(l, g, &room);
    if (err)
        return err;
    if (!room) {
        *ret = cause_find(g, CAUSE_OTHERS);
        if (*ret)
            return 0;
        fingerprint = CAUSE_OTHERS;
    }
    struct cause *c = *ret = insert(l, g, fingerprint);
    if (!c)
        return SHUNT_NO_MEMORY;
    c->r.reason = f->reason;
    if (room)
        (void)fingerprint_title(f, c->r.title, CAUSE_TITLE_BYTES_MAX); /* the rest is zero */
    else
        memcpy(c->r.title, others, sizeof others);
    return put_example(l, c, last);
}

/* ---- counting ---- */

static void count_hour(struct cause_record *r, int64_t now_ms)
{
    int64_t hour = now_ms / HOUR_MS;
    if (!r->count)
        r->hour = hour;
    for (int64_t passed = 0; r->hour < hour; passed++) {
        if (passed == CAUSE_HOURS)
            r->hour = hour;
        else
            r->hours[++r->hour % CAUSE_HOURS] = 0;
    }
    if (r->hour - hour < CAUSE_HOURS && r->hours[hour % CAUSE_HOURS] < UINT32_MAX)
        r->hours[hour % CAUSE_HOURS]++;
}

static void add_sample(struct cause_record *r, uint64_t seq)
{
    if (r->samples_count == CAUSE_SAMPLES_MAX) /* the first stays */
        memmove(r->samples + 1, r->samples + 2, (CAUSE_SAMPLES_MAX - 2) * sizeof *r->samples);
    else
        r->samples_count++;
    r->samples[r->samples_count - 1] = seq;
}

static void count(struct cause_record *r, uint64_t seq, int64_t died_ms, const struct history_record *last)
{
    if (!r->count || died_ms < r->first_ms)
        r->first_ms = died_ms;
    if (died_ms > r->last_ms)
        r->last_ms = died_ms;
    count_hour(r, died_ms);
    cause_count_build(r, last->build, died_ms);
    cause_count_host(r, last->host, died_ms);
    add_sample(r, seq);
    r->count++;
    r->dead++;
}

static void tell(struct ledger *l, const struct cause *c, uint64_t seq)
{
    struct result *r = result_add(l, RESULT_CAUSE);
    r->cause.group = c->group->r.id;
    r->cause.state = c->r.state;
    r->cause.fingerprint = c->fingerprint;
    r->cause.seq = seq;
    r->cause.title = result_copy(l, c->r.title, sizeof c->r.title);
}

static uint64_t fingerprint_in(struct ledger *l, const struct fault *f)
{
    uint64_t fingerprint = fault_memo_fingerprint(&l->faults, f);
    return fingerprint == CAUSE_OTHERS ? fingerprint + 1 : fingerprint;
}

static struct fault fault_of(enum dead_reason reason, const struct history_record *last)
{
    struct slice given = last->fingerprint;
    if (given.size > ERROR_FINGERPRINT_BYTES_MAX)
        given.size = utf8_prefix(given.data, given.size, ERROR_FINGERPRINT_BYTES_MAX);
    return (struct fault){.reason = reason,
                          .outcome = last->outcome,
                          .type = last->error_type,
                          .message = last->error_message,
                          .stack = last->error_stack,
                          .given = given};
}

uint64_t cause_would_be(struct ledger *l, const struct group *g, enum dead_reason reason,
                        const struct history_record *last)
{
    struct fault fault = fault_of(reason, last);
    uint64_t fingerprint = fingerprint_in(l, &fault);
    return cause_find(g, fingerprint) || !is_full(l, g) ? fingerprint : CAUSE_OTHERS;
}

int cause_count(struct ledger *l, struct group *g, uint64_t seq, enum dead_reason reason, int64_t died_ms,
                const struct history_record *last, struct cause **ret)
{
    struct fault fault = fault_of(reason, last);
    uint64_t fingerprint = fingerprint_in(l, &fault);
    struct cause *c = cause_find(g, fingerprint);
    int err = c ? 0 : make(l, g, fingerprint, &fault, last, &c);
    if (err)
        return err;
    if (!c->r.count) {
        c->r.state_ms = died_ms;
        tell(l, c, seq);
    }
    if (c->r.state == CAUSE_RESOLVED) {
        c->r.state = CAUSE_REGRESSED;
        c->r.state_ms = l->now_ms;
        tell(l, c, seq);
    }
    count(&c->r, seq, died_ms, last);
    cause_dirty(l, c);
    *ret = c;
    return 0;
}

/* Nobody has looked at the letter: not at itself, not at its cause (NULL: it has none) with it, and the cause is
 * not muted. */
static bool waits(const struct cause *c, const struct dead_record *dead, uint64_t dead_seq)
{
    return !dead->attended && !(c && (dead_seq < c->r.attended_below || c->r.state == CAUSE_MUTED));
}

bool cause_letter_came(struct cause *c, const struct dead_record *dead, uint64_t dead_seq)
{
    if (!waits(c, dead, dead_seq))
        return false;
    if (!c->r.unattended++)
        c->r.waiting_ms = dead->died_ms;
    return true;
}

static void wait_less(struct ledger *l, struct cause *c)
{
    c->r.unattended -= c->r.unattended > 0; /* a damaged store may differ */
    cause_dirty(l, c);
}

bool cause_letter_attended(struct ledger *l, struct group *g, struct dead_record *dead, uint64_t dead_seq)
{
    struct cause *c = cause_find(g, dead->cause);
    bool waited = waits(c, dead, dead_seq);
    if (waited && c)
        wait_less(l, c);
    dead->attended = true;
    return waited;
}

bool cause_letter_left(struct ledger *l, struct group *g, const struct dead_record *dead, uint64_t dead_seq)
{
    struct cause *c = cause_find(g, dead->cause);
    bool waited = waits(c, dead, dead_seq);
    if (!c) /* the letter is of an older server, or the group is being cleared away */
        return waited && !g->r.dropped;
    c->r.dead -= c->r.dead > 0; /* as in wait_less() */
    if (waited)
        wait_less(l, c);
    cause_dirty(l, c);
    return waited;
}

bool cause_attended(const struct group *g, const struct dead_record *dead, uint64_t dead_seq)
{
    return !waits(cause_find(g, dead->cause), dead, dead_seq);
}
