/* bitmap: against a plain array, over chunks that are there, missing, written, forgotten and read again. */
#include "broker/core/bitmap.h"

#include <criterion/criterion.h>
#include <string.h>

enum { CHUNKS = 5, BITS = CHUNKS * CHUNK_BITS, GROUP = 7 };

struct model {
    bool set[BITS + 1];
    uint64_t floor;
    uint32_t random;
};

static uint32_t draw(struct model *m, uint32_t bound)
{
    m->random = m->random * 1664525 + 1013904223;
    return (m->random >> 8) % bound;
}

static void set_range(struct bitmap *b, struct model *m, uint64_t from, uint64_t to)
{
    cr_assert_eq(bitmap_set_range(b, from, to), 0);
    for (uint64_t i = from; i < to; i++)
        m->set[i] = true;
}

static void compare(const struct bitmap *b, const struct model *m, uint64_t from)
{
    uint64_t clear = from;
    while (clear < BITS && m->set[clear])
        clear++;
    cr_assert_eq(bitmap_next_clear(b, from), clear, "from %llu", (unsigned long long)from);
    if (from >= m->floor)
        cr_assert_eq(bitmap_get(b, from), m->set[from], "bit %llu", (unsigned long long)from);
}

static uint64_t rows_of(struct store_txn *t)
{
    struct store_cursor *c;
    struct slice key, value;
    uint64_t rows = 0;
    cr_assert_eq(store_cursor_open(t, TABLE_DONE, &c), 0);
    while (!store_cursor_next(c, &key, &value))
        rows++;
    store_cursor_close(c);
    return rows;
}

/* Write it, forget what lies below the model's floor, and read it again. */
static void reload(struct bitmap *b, const struct model *m, struct store *s)
{
    struct store_txn *t;
    cr_assert_eq(store_begin(s, true, &t), 0);
    cr_assert_eq(bitmap_flush(b, t, GROUP, m->floor), 0);
    cr_assert_eq(rows_of(t), b->count);
    cr_assert_eq(store_commit(t), 0);
    bitmap_done(b);
    cr_assert_eq(store_begin(s, false, &t), 0);
    cr_assert_eq(bitmap_load(b, t, GROUP), 0);
    store_abort(t);
}

Test(bitmap, agrees_with_a_plain_array)
{
    static struct model m;
    struct store *s = store_memory_open(1 << 24);
    for (uint32_t seed = 1; seed <= 10; seed++) {
        struct bitmap b = {0};
        m = (struct model){.random = seed};
        for (int step = 0; step < 100; step++) {
            uint64_t at = m.floor + draw(&m, (uint32_t)(BITS - m.floor));
            uint64_t to = at + draw(&m, 3) * draw(&m, CHUNK_BITS);
            if (draw(&m, 2))
                set_range(&b, &m, at, to < BITS ? to : BITS);
            cr_assert_eq(bitmap_set(&b, at), 0);
            m.set[at] = true;
            if (draw(&m, 10) == 0) {
                while (m.floor < BITS - 1 && m.set[m.floor])
                    m.floor++;
                reload(&b, &m, s);
            }
            for (int i = 0; i < 20; i++)
                compare(&b, &m, m.floor + draw(&m, (uint32_t)(BITS - m.floor)));
        }
        m.floor = BITS;
        reload(&b, &m, s);
        cr_assert_eq(b.count, 0, "all of it lies below the floor");
        bitmap_done(&b);
    }
    store_close(s);
}

Test(bitmap, chunks_far_apart_have_nothing_between_them)
{
    struct bitmap b = {0};
    cr_assert_eq(bitmap_set(&b, 3 * CHUNK_BITS), 0);
    cr_assert_eq(bitmap_set(&b, CHUNK_BITS), 0);
    cr_assert_eq(b.count, 2);
    cr_assert(!bitmap_get(&b, 2 * CHUNK_BITS) && !bitmap_get(&b, 0) && !bitmap_get(&b, UINT64_MAX));
    cr_assert_eq(bitmap_next_clear(&b, CHUNK_BITS), CHUNK_BITS + 1);
    cr_assert_eq(bitmap_next_clear(&b, 2 * CHUNK_BITS), 2 * CHUNK_BITS);
    cr_assert_eq(bitmap_set_range(&b, CHUNK_BITS, 2 * CHUNK_BITS), 0);
    cr_assert_eq(bitmap_next_clear(&b, CHUNK_BITS + 5), 2 * CHUNK_BITS, "a full chunk before none");
    bitmap_done(&b);
}

/* What is written is what has changed, however much lies around it. */
Test(bitmap, only_what_changed_is_written)
{
    struct store *s = store_memory_open(1 << 24);
    struct store_txn *t;
    struct bitmap b = {0};
    cr_assert_eq(bitmap_set_range(&b, 0, 50 * CHUNK_BITS), 0);
    cr_assert_eq(store_begin(s, true, &t), 0);
    cr_assert_eq(bitmap_flush(&b, t, GROUP, 0), 0);
    cr_assert(rows_of(t) == 50 && !b.dirty);
    cr_assert_eq(bitmap_set_range(&b, 100, 50 * CHUNK_BITS), 0);
    cr_assert_null(b.dirty, "those bits were set");
    cr_assert_eq(bitmap_set_range(&b, 49 * CHUNK_BITS + 7, 51 * CHUNK_BITS), 0);
    cr_assert(b.dirty && b.dirty->number == 50 && !b.dirty->dirty_next);
    cr_assert_eq(bitmap_set(&b, 60 * CHUNK_BITS), 0);
    cr_assert_eq(bitmap_flush(&b, t, GROUP, 51 * CHUNK_BITS), 0);
    cr_assert(rows_of(t) == 1 && !b.dirty, "one that lies below the floor is not even written");
    store_abort(t);
    bitmap_done(&b);
    store_close(s);
}

/* A chunk of which nothing is set is never written, but may be read. */
Test(bitmap, an_empty_chunk_sets_nothing)
{
    static const uint64_t words[CHUNK_BYTES / 8];
    uint8_t bytes[CHUNK_BYTES + 64];
    struct store *s = store_memory_open(1 << 24);
    struct store_txn *t;
    struct bitmap b = {0};
    struct key key = key_id_seq(GROUP, 2);
    cr_assert_eq(store_begin(s, true, &t), 0);
    size_t size = chunk_encode(bytes, key_slice(&key), words);
    cr_assert_eq(store_put(t, TABLE_DONE, key_slice(&key), (struct slice){bytes, size}), 0);
    cr_assert_eq(bitmap_load(&b, t, GROUP), 0);
    cr_assert_eq(b.high, 0);
    cr_assert_eq(bitmap_next_clear(&b, 2 * CHUNK_BITS), 2 * CHUNK_BITS);
    /* Its row is gone before it is forgotten: no failure. */
    cr_assert_eq(store_del(t, TABLE_DONE, key_slice(&key), NULL), 0);
    cr_assert_eq(bitmap_flush(&b, t, GROUP, 3 * CHUNK_BITS), 0);
    cr_assert_eq(b.count, 0);
    store_abort(t);
    bitmap_done(&b);
    store_close(s);
}
