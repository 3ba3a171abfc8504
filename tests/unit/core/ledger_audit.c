/* ledger_audit: a walk over everything stored, from the rows alone, compared with what the ledger counts. */
#include "tests/unit/core/ledger_audit.h"
#include "broker/core/breaker.h"
#include "broker/core/cause.h"
#include "broker/core/history.h"
#include "broker/core/job.h"
#include "broker/core/rule.h"

#include <criterion/criterion.h>
#include <string.h>

bool audit_get(struct audit *a, enum store_table table, struct key key, struct slice *ret)
{
    int err = store_get(a->t, table, key_slice(&key), ret);
    cr_assert(!err || err == SHUNT_NOT_FOUND);
    return !err;
}

bool audit_there(struct audit *a, enum store_table table, struct key key)
{
    struct slice value;
    return audit_get(a, table, key, &value);
}

static uint64_t count_all(struct audit *a, enum store_table table)
{
    uint64_t count, tables;
    struct store_cursor *c;
    struct slice key, value;
    cr_assert_eq(store_count(a->t, table, &tables, &count), 0);
    if (tables == 1ull << table)
        return count;
    count = 0;
    cr_assert_eq(store_cursor_open(a->t, table, &c), 0);
    while (store_cursor_next(c, &key, &value) == 0)
        count++;
    store_cursor_close(c);
    return count;
}

/* Rows of a table whose key begins with that id, and the size of their values. */
static uint64_t count_of(struct audit *a, enum store_table table, uint32_t id, uint64_t *ret_bytes)
{
    struct store_cursor *c;
    struct slice key, value;
    struct key from = key_id(id);
    uint64_t count = 0, bytes = 0;
    cr_assert_eq(store_cursor_open(a->t, table, &c), 0);
    int err = store_cursor_seek(c, key_slice(&from), &key, &value);
    while (!err && !memcmp(key.data, from.bytes, 4)) {
        count++;
        bytes += value.size;
        err = store_cursor_next(c, &key, &value);
    }
    store_cursor_close(c);
    if (ret_bytes)
        *ret_bytes = bytes;
    return count;
}

/* ---- memory and store say the same ---- */

static void same(struct audit *a, enum store_table table, struct key key, const void *bytes, size_t size,
                 const char *what)
{
    struct slice value;
    cr_assert(audit_get(a, table, key, &value), "%s is not stored", what);
    cr_assert(value.size == size && !memcmp(value.data, bytes, size), "%s in memory differs from its row",
              what);
}

static void audit_memory(struct audit *a)
{
    static uint8_t bytes[RECORD_BYTES_MAX];
    const struct ledger *l = a->l;
    uint64_t chunks = 0;
    for (size_t i = 0; i < l->topics_count; i++) {
        struct key key = key_id(l->topics[i]->r.id);
        same(a, TABLE_TOPIC, key, bytes, topic_encode(bytes, key_slice(&key), &l->topics[i]->r), "a topic");
    }
    for (size_t i = 0; i < l->groups_count; i++) {
        const struct group *g = l->groups[i];
        struct key key = key_id(g->r.id);
        same(a, TABLE_GROUP, key, bytes, group_encode(bytes, key_slice(&key), &g->r), "a group");
        for (size_t k = 0; !g->r.dropped && k < g->bits.count; k++, chunks++) {
            key = key_id_seq(g->r.id, g->bits.chunks[k]->number);
            same(a, TABLE_DONE, key, bytes, chunk_encode(bytes, key_slice(&key), g->bits.chunks[k]->words),
                 "a chunk");
        }
        if (g->r.dropped)
            chunks += count_of(a, TABLE_DONE, g->r.id, NULL);
    }
    cr_assert_eq(count_all(a, TABLE_TOPIC), l->topics_count);
    cr_assert_eq(count_all(a, TABLE_GROUP), l->groups_count);
    cr_assert_eq(count_all(a, TABLE_DONE), chunks);
    uint64_t breakers = 0;
    for (size_t i = 0; i < l->groups_count; i++) {
        const struct group *g = l->groups[i];
        struct key its_key = key_id(g->r.id);
        struct slice value;
        if (!g->r.dropped)
            cr_assert_eq(count_of(a, TABLE_RULE, g->r.id, NULL), g->rules_count);
        for (size_t k = 0; k < g->rules_count; k++) {
            struct key key = key_id_seq(g->r.id, g->rules[k]->number);
            same(a, TABLE_RULE, key, bytes, rule_encode(bytes, key_slice(&key), &g->rules[k]->r), "a rule");
        }
        bool stored = audit_get(a, TABLE_BREAKER, its_key, &value);
        breakers += stored;
        cr_assert(g->r.dropped || stored || !g->watched);
        size_t size =
            stored && !g->r.dropped ? breaker_encode(bytes, key_slice(&its_key), &g->breaker->r) : 0;
        if (size)
            same(a, TABLE_BREAKER, its_key, bytes, size, "a breaker");
    }
    cr_assert_eq(count_all(a, TABLE_BREAKER), breakers);
    cr_assert(l->damage.any || count_all(a, TABLE_DAMAGED) == 0);
    cr_assert_eq(count_all(a, TABLE_JOB), l->kept_count);
    for (size_t i = 0; i < l->kept_count; i++) {
        struct key key = key_job(l->kept[i]->r.id);
        same(a, TABLE_JOB, key, bytes, job_encode(bytes, key_slice(&key), &l->kept[i]->r), "a job");
    }
}

static void audit_meta(struct audit *a)
{
    const struct slice key = {META_KEY_LEDGER, sizeof META_KEY_LEDGER - 1};
    struct meta_record stored, *m = &a->l->meta;
    struct slice value;
    cr_assert_eq(store_get(a->t, TABLE_META, key, &value), 0);
    cr_assert_eq(meta_decode(key, value, &stored), 0);
    /* Batches that changed nothing are counted but not committed. */
    cr_assert(stored.index <= m->index && stored.time_ms <= m->time_ms);
    cr_assert(stored.topic_next == m->topic_next && stored.group_next == m->group_next);
    cr_assert(stored.random == m->random && stored.job_next == m->job_next);
    cr_assert_eq(stored.dedup_swept_ms, m->dedup_swept_ms);
    cr_assert_eq(memcmp(stored.dedup_cursor, m->dedup_cursor, PRODUCER_ID_BYTES), 0);
}

/* The log of acts: rows without a gap up to the newest, and their sizes, as they are counted. */
static void audit_acts(struct audit *a)
{
    const struct meta_record *m = &a->l->meta;
    uint64_t id, next = m->audit_next - m->audit_rows, bytes = 0;
    struct store_cursor *c;
    struct slice key, value;
    cr_assert_eq(store_cursor_open(a->t, TABLE_AUDIT, &c), 0);
    for (int err = store_cursor_seek(c, (struct slice){"", 1}, &key, &value); !err;
         err = store_cursor_next(c, &key, &value)) {
        struct audit_record r;
        cr_assert(key_read_audit(key, &id) && id == next);
        cr_assert_eq(audit_decode(key, value, &r), 0);
        cr_assert(next != m->audit_next - m->audit_rows || r.time_ms == a->l->audit_oldest_ms);
        bytes += key.size + value.size;
        next++;
    }
    store_cursor_close(c);
    cr_assert_eq(next, m->audit_next);
    cr_assert_eq(bytes, m->audit_bytes);
}

/* ---- groups ---- */

struct tally {
    struct group_counts n;
    uint64_t due_rows, history_rows, past, ruled, edit_rows, indexed, parked, blocking, listed, out;
    bool damaged; /* a message cannot be read: what its head said is unknown */
};

static void audit_waiting(const struct group *g, const struct attempt_record *row, struct tally *y)
{
    if (row->due_ms > g->r.due_mark_ms && !row->parked) {
        y->n.delayed++;
    } else {
        y->n.ready++;
        y->n.suspects += row->suspect && !row->parked;
        y->parked += row->parked && !attempt_is_ahead(row);
        y->listed += row->turn != 0;
    }
}

static bool is_damaged(struct audit *a, const struct group *g, uint64_t seq)
{
    struct key key = key_id_seq(g->topic->r.id, seq);
    struct slice value, message;
    struct message_head head;
    return !g->origin && audit_get(a, TABLE_MESSAGE, key, &value) &&
           message_decode(key_slice(&key), value, true, &head, &message);
}

static void audit_row(struct audit *a, const struct group *g, uint64_t seq, const struct attempt_record *row,
                      struct tally *y)
{
    struct slice value;
    struct dead_record dead;
    y->n.tracked++;
    y->damaged |= is_damaged(a, g, seq);
    y->edit_rows += audit_edit(a, g, seq, row, &y->damaged);
    y->history_rows += row->rows;
    if (row->has_expiry) {
        cr_assert(audit_there(a, TABLE_EXPIRY, key_expiry(row->expires_ms, g->r.id, seq)));
        y->n.expiries++;
    }
    cr_assert_leq(row->attempts, row->attempts_total);
    cr_assert_leq(row->deliveries, row->deliveries_total);
    cr_assert_leq(row->rows, HISTORY_ROWS_MAX);
    if (row->state == ATTEMPT_DEAD) {
        struct key key = key_id_seq(g->dlq->r.id, row->dead_seq);
        y->n.dead++;
        cr_assert(!row->has_expiry, "time to live stands still while a message is dead");
        cr_assert(audit_get(a, TABLE_DEAD, key, &value));
        cr_assert_eq(dead_decode(key_slice(&key), value, &dead), 0);
        cr_assert(dead.origin_group == g->r.id && dead.origin_seq == seq);
        cr_assert_eq(dead.edit, row->edit);
        if (dead.rule) {
            cr_assert(audit_there(a, TABLE_DUE, key_due(g->r.id, DUE_RULED, dead.due_ms, row->dead_seq)));
            cr_assert(deadline_heap_has(&a->l->queues[QUEUE_RULED], g->slot), "no tick comes to it");
            y->due_rows++;
            y->ruled++;
        }
        y->blocking += row->key != 0;
        y->due_rows += audit_blocking(a, g, seq, row);
        return;
    }
    y->due_rows++;
    cr_assert(audit_there(a, TABLE_DUE, attempt_due_key(g->r.id, seq, row)));
    y->indexed += row->key != 0;
    y->due_rows += audit_key(a, g, seq, row);
    if (row->state == ATTEMPT_HELD) {
        y->n.in_flight++;
        y->out += audit_out(a, g, seq);
    } else {
        audit_waiting(g, row, y);
    }
}

static void audit_untracked(struct audit *a, const struct group *g, uint64_t seq, struct tally *y)
{
    struct key key = key_id_seq(g->topic->r.id, seq);
    struct slice value, message;
    struct message_head head;
    if (!audit_get(a, g->origin ? TABLE_DEAD : TABLE_MESSAGE, key, &value)) {
        cr_assert_geq(seq, g->r.next, "in flight without a message: %u %llu", g->r.id,
                      (unsigned long long)seq);
        return; /* a hole: deleted before this group was made */
    }
    if (seq >= g->r.next) {
        y->n.ready++;
    } else {
        y->n.in_flight++;
        y->out += audit_out(a, g, seq);
    }
    if (g->origin)
        return;
    if (message_decode(key_slice(&key), value, true, &head, &message))
        y->damaged = true;
    else if (head.expires_ms && audit_there(a, TABLE_EXPIRY, key_expiry(head.expires_ms, g->r.id, seq)))
        y->n.expiries++;
    else if (head.expires_ms)
        cr_assert_leq(head.published_ms, g->r.created_ms, "no row in expiry");
}

/* One that is done: if its history is kept, then with how it ended, and to be forgotten. */
static void audit_past(struct audit *a, const struct group *g, uint64_t seq, struct tally *y)
{
    struct key key = key_history(g->r.id, seq, HISTORY_ROW_END);
    struct slice value;
    struct ended_record e;
    struct history_rows rows;
    if (!audit_get(a, TABLE_HISTORY, key, &value))
        return;
    cr_assert_eq(ended_decode(key_slice(&key), value, &e), 0);
    cr_assert(audit_there(a, TABLE_DUE, key_due(g->r.id, DUE_PAST, e.ended_ms, seq)), "kept for ever");
    cr_assert(deadline_heap_has(&a->l->queues[QUEUE_PAST], g->slot), "no tick comes to it");
    int err = history_rows_open(a->t, g->r.id, seq, HISTORY_ROW_END, &rows);
    for (; !err; err = history_rows_next(&rows))
        y->history_rows++;
    cr_assert_eq(history_rows_close(&rows, err), 0);
    y->due_rows++;
    y->past++;
}

static void audit_group(struct audit *a, const struct group *g)
{
    const struct group_counts *n = &g->r.counts;
    struct tally y = {0};
    for (uint64_t seq = g->r.start; seq < g->topic->r.head; seq++) {
        struct key key = key_id_seq(g->r.id, seq);
        struct slice value;
        struct attempt_record row;
        bool bit = seq < g->r.floor || bitmap_get(&g->bits, seq);
        if (audit_get(a, TABLE_ATTEMPT, key, &value)) {
            cr_assert_eq(attempt_decode(key_slice(&key), value, &row), 0);
            cr_assert(bit, "a row without its bit");
            cr_assert(audit_there(a, g->origin ? TABLE_DEAD : TABLE_MESSAGE, key_id_seq(g->topic->r.id, seq)),
                      "a row without a body");
            audit_row(a, g, seq, &row, &y);
        } else if (!bit) {
            audit_untracked(a, g, seq, &y);
        } else {
            audit_past(a, g, seq, &y);
        }
    }
    const char *topic = g->topic->r.name;
    cr_assert_eq(n->ready, y.n.ready, "%s/%s ready: %llu, counted %llu", topic, g->r.name,
                 (unsigned long long)n->ready, (unsigned long long)y.n.ready);
    cr_assert_eq(n->in_flight, y.n.in_flight);
    cr_assert_eq(n->delayed, y.n.delayed);
    cr_assert_eq(n->dead, y.n.dead);
    cr_assert_eq(n->suspects, y.n.suspects);
    cr_assert(g->r.parked == y.parked && g->r.indexed == y.indexed && g->r.blocking == y.blocking);
    audit_blocked(a, g);
    cr_assert_eq(g->r.fair.listed, y.listed);
    audit_turns(a, g);
    cr_assert_eq(g->keys ? g->keys->count : 0, y.out);
    cr_assert_eq(n->tracked, y.n.tracked);
    cr_assert_eq(n->tracked, count_of(a, TABLE_ATTEMPT, g->r.id, NULL));
    if (!y.damaged) {
        cr_assert_eq(n->expiries, y.n.expiries, "%s/%s expiries: %llu, counted %llu", topic, g->r.name,
                     (unsigned long long)n->expiries, (unsigned long long)y.n.expiries);
    }
    cr_assert_eq(g->r.ruled_waiting, y.ruled);
    cr_assert(g->r.past == y.past && g->r.past <= PAST_MAX);
    cr_assert_eq(y.due_rows + g->r.blocked, count_of(a, TABLE_DUE, g->r.id, NULL));
    cr_assert_eq(y.history_rows, count_of(a, TABLE_HISTORY, g->r.id, NULL));
    cr_assert_eq(y.edit_rows, count_of(a, TABLE_EDIT, g->r.id, NULL));
    cr_assert_eq(group_conservation_error(n), 0, "conservation in %s/%s", topic, g->r.name);
    if (!g->dlq)
        return;
    cr_assert_eq(n->dead, count_of(a, TABLE_DEAD, g->dlq->r.id, NULL));
    audit_causes(a, g);
    audit_rules(g);
}

/* ---- topics ---- */

static bool is_needed(struct audit *a, const struct topic *t, uint64_t seq)
{
    for (size_t i = 0; i < t->groups_count; i++) {
        const struct group *g = t->groups[i];
        if (seq < g->r.start)
            continue;
        if ((seq >= g->r.floor && !bitmap_get(&g->bits, seq)) ||
            audit_there(a, TABLE_ATTEMPT, key_id_seq(g->r.id, seq)))
            return true;
    }
    return false;
}

static bool is_being_cleared(const struct ledger *l, const struct topic *t)
{
    for (size_t i = 0; i < l->jobs_count; i++) {
        if (l->jobs[i]->r.kind == JOB_DROP && l->jobs[i]->r.topic == t->r.id)
            return true;
    }
    return t->r.dropped;
}

static void audit_topic(struct audit *a, const struct topic *t)
{
    enum store_table table = t->r.origin_group ? TABLE_DEAD : TABLE_MESSAGE;
    uint64_t bytes;
    if (t->r.dropped && t->r.origin_group)
        return;
    cr_assert_eq(t->r.stored, count_of(a, table, t->r.id, &bytes));
    cr_assert_eq(t->r.stored_bytes, bytes);
    if (is_being_cleared(a->l, t))
        return;
    for (uint64_t seq = 1; seq < t->r.head; seq++) {
        if (audit_there(a, table, key_id_seq(t->r.id, seq))) {
            cr_assert(is_needed(a, t, seq), "%s/%llu is stored for nobody", t->r.name,
                      (unsigned long long)seq);
        }
    }
}

/* Every row of expiry belongs to a group that is still there. */
static void audit_expiry(struct audit *a)
{
    struct store_cursor *c;
    struct slice key, value;
    uint64_t seq, rows = 0;
    int64_t ms;
    uint32_t group;
    cr_assert_eq(store_cursor_open(a->t, TABLE_EXPIRY, &c), 0);
    for (int err = store_cursor_seek(c, (struct slice){"", 1}, &key, &value); !err;
         err = store_cursor_next(c, &key, &value)) {
        cr_assert(key_read_expiry(key, &ms, &group, &seq));
        rows += catalog_live_group(a->l, group) != NULL;
    }
    store_cursor_close(c);
    for (size_t i = 0; i < a->l->groups_count; i++)
        rows -= a->l->groups[i]->r.dropped ? 0 : a->l->groups[i]->r.counts.expiries;
    cr_assert_eq(rows, 0, "rows in expiry that no group counts");
}

/* The sums that are kept are what adding all up would give. */
static void audit_sums(struct ledger *l)
{
    struct sums all = {0};
    const struct sums *kept = view_sums(l);
    for (size_t i = 0; i < l->groups_count; i++) {
        const struct group_counts *n = &l->groups[i]->r.counts;
        if (l->groups[i]->r.dropped || l->groups[i]->origin)
            continue;
        all.groups++;
        all.published += n->published;
        all.ready += n->ready;
        all.in_flight += n->in_flight;
        all.delayed += n->delayed;
        all.dead += n->dead;
        all.unattended += n->unattended;
        all.acked += n->acked;
        all.deliveries += n->deliveries;
        const struct breaker *b = l->groups[i]->breaker;
        all.breakers_open += b && b->r.state != BREAKER_CLOSED;
    }
    cr_assert_eq(kept->conservation_error, 0);
    cr_assert_eq(memcmp(&all, kept, sizeof all), 0);
}

void ledger_audit(struct ledger *l, struct store *s)
{
    struct audit a = {.l = l};
    cr_assert_eq(store_begin(s, false, &a.t), 0);
    audit_meta(&a);
    audit_acts(&a);
    audit_memory(&a);
    audit_identities(&a);
    for (size_t i = 0; i < l->groups_count; i++) {
        if (!l->groups[i]->r.dropped)
            audit_group(&a, l->groups[i]);
    }
    for (size_t i = 0; i < l->topics_count; i++)
        audit_topic(&a, l->topics[i]);
    audit_expiry(&a);
    audit_outcomes(&a);
    store_abort(a.t);
    audit_sums(l);
}

uint64_t state_hash(struct store *s)
{
    struct store_txn *t;
    uint64_t hash;
    cr_assert_eq(store_begin(s, false, &t), 0);
    cr_assert_eq(schema_state_hash(t, &hash), 0);
    store_abort(t);
    return hash;
}
