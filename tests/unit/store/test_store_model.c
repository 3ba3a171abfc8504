/* Both stores against a model, a sorted array, under random calls: every answer must be the model's. One seed
 * is one run; a seed that fails is named in the message and repeats. */
#include "base/search.h"
#include "broker/journal/store_journal.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES   8
#define PAIRS_MAX   4096
#define CURSORS_MAX 4

struct model_pair {
    uint8_t key[KEY_BYTES];
    uint8_t key_size;
    uint32_t value_seed;
    uint32_t value_size;
};

struct model {
    struct model_pair pairs[PAIRS_MAX];
    size_t count;
};

/* A cursor is a key, there or not. */
struct model_cursor {
    struct store_cursor *real;
    struct model_pair at;
    bool placed;
};

struct run {
    struct store *store;
    struct store_txn *txn;
    struct model now;
    struct model committed;
    struct model_cursor cursors[CURSORS_MAX];
    uint64_t random;
    unsigned key_space;
    unsigned value_bytes_max;
    enum store_table table;
    unsigned step;
    unsigned seed;
};

#define EXPECT(condition, ...)                                                                               \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "seed %u, step %u: ", r->seed, r->step);                                         \
            fprintf(stderr, __VA_ARGS__);                                                                    \
            cr_assert_fail("%s (seed %u, step %u)", #condition, r->seed, r->step);                           \
        }                                                                                                    \
    } while (0)

static unsigned draw(struct run *r, unsigned below)
{
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return (unsigned)((r->random >> 20) % below);
}

/* The table grows for so many steps, then shrinks for as many. */
static unsigned phase_steps(const struct run *r)
{
    return 100 + 3 * r->key_space;
}

/* ---- the model ---- */

static struct slice key_of(const struct model_pair *p)
{
    return (struct slice){p->key, p->key_size};
}

static int compare(const void *a, const void *b)
{
    return slice_compare(key_of(a), key_of(b));
}

static size_t at_least(const struct model *m, const struct model_pair *key)
{
    return search_first(m->pairs, m->count, sizeof *m->pairs, key, compare);
}

static bool holds(const struct model *m, size_t i, const struct model_pair *key)
{
    return i < m->count && compare(&m->pairs[i], key) == 0;
}

static void model_put(struct model *m, const struct model_pair *p)
{
    size_t i = at_least(m, p);
    if (!holds(m, i, p)) {
        cr_assert(m->count < PAIRS_MAX);
        memmove(&m->pairs[i + 1], &m->pairs[i], (m->count - i) * sizeof *m->pairs);
        m->count++;
    }
    m->pairs[i] = *p;
}

static bool model_del(struct model *m, const struct model_pair *key)
{
    size_t i = at_least(m, key);
    if (!holds(m, i, key))
        return false;
    m->count--;
    memmove(&m->pairs[i], &m->pairs[i + 1], (m->count - i) * sizeof *m->pairs);
    return true;
}

/* ---- keys and values ---- */

/* Keys come in several sizes, so that some are the beginning of others. */
static struct model_pair draw_key(struct run *r)
{
    struct model_pair p = {0};
    char digits[16];
    unsigned n = draw(r, r->key_space);
    int length = snprintf(digits, sizeof digits, draw(r, 8) ? "%05u" : "%u", n);
    p.key_size = (uint8_t)length;
    memcpy(p.key, digits, (size_t)length);
    return p;
}

static uint8_t value_byte(uint32_t seed, uint32_t i)
{
    return (uint8_t)((seed + i) * 2654435761u >> 24);
}

static void draw_value(struct run *r, struct model_pair *p)
{
    p->value_seed = (uint32_t)r->random;
    unsigned kind = draw(r, 20);
    p->value_size = kind == 0 ? draw(r, 20000) : kind < 5 ? 0 : draw(r, r->value_bytes_max);
}

static void expect_pair(struct run *r, const struct model_pair *p, struct slice key, struct slice value)
{
    EXPECT(key.size == p->key_size && memcmp(key.data, p->key, key.size) == 0, "got %.*s, not %.*s\n",
           (int)key.size, (const char *)key.data, (int)p->key_size, (const char *)p->key);
    EXPECT(value.size == p->value_size, "%.*s has %zu bytes, not %u\n", (int)key.size, (const char *)key.data,
           value.size, p->value_size);
    const uint8_t *bytes = value.data;
    for (uint32_t i = 0; i < p->value_size; i++) {
        if (bytes[i] != value_byte(p->value_seed, i))
            EXPECT(false, "%.*s differs at byte %u\n", (int)key.size, (const char *)key.data, i);
    }
}

/* ---- one step ---- */

static void step_put(struct run *r, bool reserve)
{
    struct model_pair p = draw_key(r);
    if (reserve && draw(r, 2) && r->now.count > 0) { /* often a key that really comes last */
        p = r->now.pairs[r->now.count - 1];
        if (p.key_size < KEY_BYTES)
            p.key[p.key_size++] = (uint8_t)('0' + draw(r, 10));
        if (compare(&p, &r->now.pairs[r->now.count - 1]) > 0 && r->now.count + 2 >= PAIRS_MAX)
            return;
    }
    draw_value(r, &p);
    static uint8_t bytes[20000];
    void *to = bytes;
    int err = 0;
    size_t at = at_least(&r->now, &p);
    bool fresh = draw(r, 3) > 0 && !holds(&r->now, at, &p);
    if (reserve)
        err = store_reserve(r->txn, r->table, key_of(&p), p.value_size, fresh, &to);
    EXPECT(err == 0, "reserve: %s\n", err_name(err));
    for (uint32_t i = 0; i < p.value_size; i++)
        ((uint8_t *)to)[i] = value_byte(p.value_seed, i);
    if (!reserve)
        err = store_put(r->txn, r->table, key_of(&p), (struct slice){bytes, p.value_size});
    EXPECT(err == 0, "put: %s\n", err_name(err));
    model_put(&r->now, &p);
}

static void step_del(struct run *r)
{
    struct model_pair key = draw_key(r);
    if (draw(r, 2)) { /* often the pair under a cursor */
        struct model_cursor *c = &r->cursors[draw(r, CURSORS_MAX)];
        if (c->placed)
            key = c->at;
    }
    size_t i = at_least(&r->now, &key);
    uint32_t size_wanted = holds(&r->now, i, &key) ? r->now.pairs[i].value_size : 0;
    size_t size = size_wanted;
    int err = store_del(r->txn, r->table, key_of(&key), draw(r, 2) ? &size : NULL);
    bool had = model_del(&r->now, &key);
    EXPECT(err == (had ? 0 : SHUNT_NOT_FOUND), "del: %s\n", err_name(err));
    EXPECT(size == size_wanted, "del told %zu bytes, not %u\n", size, size_wanted);
}

static void step_get(struct run *r)
{
    struct model_pair key = draw_key(r);
    size_t i = at_least(&r->now, &key);
    struct slice value;
    int err = store_get(r->txn, r->table, key_of(&key), &value);
    EXPECT(err == (holds(&r->now, i, &key) ? 0 : SHUNT_NOT_FOUND), "get: %s\n", err_name(err));
    if (!err)
        expect_pair(r, &r->now.pairs[i], key_of(&key), value);
}

enum move { MOVE_SEEK, MOVE_NEXT, MOVE_PREV };

static void step_move(struct run *r, struct model_cursor *c, enum move move)
{
    struct slice k;
    struct slice v;
    struct model_pair key = draw_key(r);
    size_t i; /* of the pair to be found; count or SIZE_MAX for none */
    int err;
    if (move == MOVE_SEEK) {
        i = at_least(&r->now, &key);
        err = store_cursor_seek(c->real, key_of(&key), &k, &v);
        c->at = key;
        c->placed = true;
    } else {
        i = move == MOVE_NEXT ? 0 : r->now.count;
        if (c->placed) {
            i = at_least(&r->now, &c->at);
            if (move == MOVE_NEXT && holds(&r->now, i, &c->at))
                i++;
        }
        if (move == MOVE_PREV)
            i--;
        err = move == MOVE_NEXT ? store_cursor_next(c->real, &k, &v) : store_cursor_prev(c->real, &k, &v);
    }
    EXPECT(err == (i < r->now.count ? 0 : SHUNT_NOT_FOUND), "move %d: %s\n", (int)move, err_name(err));
    if (err)
        return;
    expect_pair(r, &r->now.pairs[i], k, v);
    c->at = r->now.pairs[i];
    c->placed = true;
}

static void step_cursor_del(struct run *r, struct model_cursor *c)
{
    int err = store_cursor_del(c->real);
    bool had = c->placed && model_del(&r->now, &c->at);
    EXPECT(err == (had ? 0 : SHUNT_NOT_FOUND), "cursor_del: %s\n", err_name(err));
}

static void step_cursor(struct run *r)
{
    struct model_cursor *c = &r->cursors[draw(r, CURSORS_MAX)];
    if (!c->real) {
        *c = (struct model_cursor){0};
        EXPECT(store_cursor_open(r->txn, r->table, &c->real) == 0, "cursor_open\n");
    }
    unsigned kind = draw(r, 16);
    if (kind == 0) {
        store_cursor_close(c->real);
        *c = (struct model_cursor){0};
    } else if (kind < 4) {
        step_move(r, c, MOVE_SEEK);
    } else if (kind < 9) {
        step_move(r, c, MOVE_NEXT);
    } else if (kind < 12) {
        step_move(r, c, MOVE_PREV);
    } else if (kind < 14) {
        step_cursor_del(r, c);
    } else { /* deletes in a row, as a drain does */
        bool draining = r->step / phase_steps(r) % 2 == 1;
        for (unsigned n = draw(r, draining ? 40 : 2); n > 0; n--) {
            step_move(r, c, MOVE_NEXT);
            step_cursor_del(r, c);
        }
    }
}

/* Rows of the tables before and after this one, which may share pages with it. */
static void step_neighbour(struct run *r)
{
    enum store_table table = draw(r, 2) ? r->table - 1 : r->table + 1;
    struct model_pair p = draw_key(r);
    if (draw(r, 2))
        EXPECT(store_put(r->txn, table, key_of(&p), slice_of("neighbour")) == 0, "put\n");
    else
        (void)store_del(r->txn, table, key_of(&p), NULL);
}

static void step_end(struct run *r, bool crash)
{
    for (int i = 0; i < CURSORS_MAX; i++) {
        if (!crash)
            store_cursor_close(r->cursors[i].real);
        r->cursors[i] = (struct model_cursor){0};
    }
    if (crash || draw(r, 3) == 0) {
        if (crash)
            store_memory_crash(r->store);
        else
            store_abort(r->txn);
        r->now = r->committed;
    } else {
        EXPECT(store_commit(r->txn) == 0, "commit\n");
        r->committed = r->now;
    }
    EXPECT(store_maintain(r->store) == 0, "maintain\n");
    EXPECT(store_begin(r->store, true, &r->txn) == 0, "begin\n");
}

static void expect_all(struct run *r)
{
    uint64_t count, tables;
    struct store_cursor *c;
    struct slice k;
    struct slice v;
    EXPECT(store_count(r->txn, r->table, &tables, &count) == 0, "count\n");
    for (int i = 0; i < TABLE_COUNT; i++) {
        if (tables >> i & 1 && (enum store_table)i != r->table)
            count -= walk(r->txn, (enum store_table)i);
    }
    EXPECT(count == r->now.count, "count\n");
    EXPECT(store_cursor_open(r->txn, r->table, &c) == 0, "cursor_open\n");
    for (size_t i = 0; i < r->now.count; i++) {
        EXPECT(store_cursor_next(c, &k, &v) == 0, "next\n");
        expect_pair(r, &r->now.pairs[i], k, v);
    }
    EXPECT(store_cursor_next(c, &k, &v) == SHUNT_NOT_FOUND, "next after the last\n");
    store_cursor_close(c);
}

static void run(enum fixture_kind kind, unsigned seed, unsigned steps, unsigned key_space,
                unsigned value_bytes_max)
{
    struct fixture f;
    struct run *r = calloc(1, sizeof *r);
    cr_assert_not_null(r);
    fixture_open(&f, kind, 1ull << 30);
    r->store = f.store;
    r->seed = seed;
    r->table = seed % 2 ? TABLE_DUE : TABLE_TOPIC;
    r->random = 0x9e3779b97f4a7c15u * (seed + 1);
    r->key_space = key_space;
    r->value_bytes_max = value_bytes_max;
    r->txn = begin_write(f.store);
    size_t count_max = 0;
    size_t count_min = SIZE_MAX;
    bool stepped = kind == FIXTURE_JOURNAL_MEMORY || kind == FIXTURE_JOURNAL_STEPPED;
    for (r->step = 0; r->step < steps; r->step++) {
        if (stepped && draw(r, 100) == 0) /* at any point, as the thread does */
            (void)store_journal_step(r->store);
        unsigned kind_of_step = draw(r, 100);
        if (kind_of_step < 30)
            step_put(r, kind_of_step < 10);
        else if (kind_of_step < 42)
            step_del(r);
        else if (kind_of_step < 48)
            step_get(r);
        else if (kind_of_step < 50)
            step_neighbour(r);
        else if (kind_of_step < 99)
            step_cursor(r);
        else
            step_end(r, kind == FIXTURE_MEMORY && draw(r, 4) == 0);
        if (r->step % 512 == 511)
            expect_all(r);
        count_max = r->now.count > count_max ? r->now.count : count_max;
        count_min = r->step > phase_steps(r) && r->now.count < count_min ? r->now.count : count_min;
    }
    for (int i = 0; i < CURSORS_MAX; i++)
        store_cursor_close(r->cursors[i].real);
    expect_all(r);
    EXPECT(count_max > key_space / 6 && count_min < key_space / 10 + 1,
           "the run is a poor one: %zu to %zu pairs\n", count_min, count_max);
    store_abort(r->txn);
    fixture_close(&f);
    free(r);
}

/* A handful of keys: everything happens on one page, and the table is often empty. */
Test(store_model, memory_few_keys)
{
    for (unsigned seed = 0; seed < 20; seed++)
        run(FIXTURE_MEMORY, seed, 3000, 8, 50);
}

Test(store_model, lmdb_few_keys)
{
    for (unsigned seed = 0; seed < 5; seed++)
        run(FIXTURE_LMDB, seed, 3000, 8, 50);
}

Test(store_model, journal_few_keys)
{
    for (unsigned seed = 0; seed < 20; seed++)
        run(seed % 4 ? FIXTURE_JOURNAL_MEMORY : FIXTURE_JOURNAL_STEPPED, seed, 3000, 8, 50);
    for (unsigned seed = 20; seed < 23; seed++)
        run(FIXTURE_JOURNAL, seed, 3000, 8, 50);
}

/* Enough keys and bytes that pages split and merge all the time. */
Test(store_model, memory_many_keys)
{
    for (unsigned seed = 100; seed < 110; seed++)
        run(FIXTURE_MEMORY, seed, 20000, 1500, 1200);
}

Test(store_model, lmdb_many_keys)
{
    for (unsigned seed = 100; seed < 106; seed++)
        run(FIXTURE_LMDB, seed, 20000, 1500, 1200);
}

Test(store_model, journal_many_keys)
{
    for (unsigned seed = 100; seed < 104; seed++)
        run(seed % 2 ? FIXTURE_JOURNAL_MEMORY : FIXTURE_JOURNAL_STEPPED, seed, 20000, 1500, 1200);
    for (unsigned seed = 110; seed < 112; seed++)
        run(FIXTURE_JOURNAL, seed, 20000, 1500, 1200);
}

/* A tree three pages deep. */
Test(store_model, lmdb_deep_tree)
{
    run(FIXTURE_LMDB, 200, 50000, 4000, 2500);
    run(FIXTURE_LMDB, 201, 50000, 4000, 2500);
}
