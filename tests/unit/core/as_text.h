/* as_text: what a view has written, as text that a test compares whole. */
#ifndef SHUNT_TESTS_AS_TEXT_H
#define SHUNT_TESTS_AS_TEXT_H

#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* ---- msgpack as text: {key:value …} [ … ] "str" 'bin' ---- */

static char out[1 << 20];
static size_t out_size;

static void put(const char *bytes, size_t size)
{
    cr_assert_lt(out_size + size, sizeof out);
    memcpy(out + out_size, bytes, size);
    out_size += size;
    out[out_size] = 0;
}

static void put_quoted(struct slice s, const char *quote)
{
    put(quote, 1);
    put(s.data, s.size);
    put(quote, 1);
}

static void put_value(struct mpack_reader *r)
{
    char number[32];
    uint32_t count;
    switch (mpack_peek(r)) {
    case MPACK_NIL:
        mpack_read_nil(r);
        put("nil", 3);
        break;
    case MPACK_BOOL:
        if (mpack_read_bool(r))
            put("true", 4);
        else
            put("no", 2);
        break;
    case MPACK_INT:
        snprintf(number, sizeof number, "%lld", (long long)mpack_read_int(r));
        put(number, strlen(number));
        break;
    case MPACK_STR:
        put_quoted(mpack_read_str(r), "\"");
        break;
    case MPACK_BIN:
        put_quoted(mpack_read_bin(r), "'");
        break;
    case MPACK_ARRAY:
        count = mpack_read_array(r);
        put("[", 1);
        for (uint32_t i = 0; i < count; i++) {
            put(" ", i ? 1 : 0);
            put_value(r);
        }
        put("]", 1);
        break;
    case MPACK_MAP:
        count = mpack_read_map(r);
        put("{", 1);
        for (uint32_t i = 0; i < count; i++) {
            put("\n", i ? 1 : 0);
            struct slice key = mpack_read_str(r);
            put(key.data, key.size);
            put(":", 1);
            put_value(r);
        }
        put("}", 1);
        break;
    case MPACK_FLOAT:
    case MPACK_END:
        cr_assert_fail("not of our making");
    }
}

static void expect(const struct mpack_buffer *b, const char *want)
{
    struct mpack_reader r;
    cr_assert(!b->failed);
    out_size = 0;
    for (mpack_read_init(&r, b->data, b->size); mpack_peek(&r) != MPACK_END;) {
        put_value(&r);
        put("\n", 1);
    }
    cr_assert(!r.failed);
    cr_assert(strcmp(out, want) == 0, "expected:\n%s\ngot:\n%s", want, out);
}

/* ---- a view of a fixture ---- */

static uint64_t three_members(void *context, uint32_t group)
{
    (void)context;
    (void)group;
    return 3;
}

struct look {
    struct view v;
    struct mpack_buffer b;
};

static void begin(struct look *k, struct fixture *f)
{
    *k = (struct look){.v = {.ledger = f->l, .members = three_members}};
    cr_assert_eq(store_begin(f->store, false, &k->v.txn), 0);
}

static void end(struct look *k)
{
    store_abort(k->v.txn);
    mpack_buffer_done(&k->b);
}

#endif
