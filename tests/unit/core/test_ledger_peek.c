/* test_ledger_peek: a page of a listing costs a bounded amount, whatever lies between a group's messages. */
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>

/* One page: how many rows, and where the next begins. */
static uint32_t page(struct fixture *f, uint64_t after, bool *ret_more, uint64_t *ret_next)
{
    struct view v = {.ledger = f->l};
    struct mpack_buffer b = {0};
    struct mpack_reader r;
    cr_assert_eq(store_begin(f->store, false, &v.txn), 0);
    cr_assert_eq(view_peek(&v, fixture_group(f, "t", "default"), after, 3, false, &b), 0);
    store_abort(v.txn);
    mpack_read_init(&r, b.data, b.size);
    uint32_t rows = mpack_read_array(&r);
    for (uint32_t i = 0; i < rows; i++)
        (void)mpack_read_any(&r); /* only counted */
    *ret_more = mpack_read_bool(&r);
    *ret_next = mpack_read_uint(&r);
    cr_assert(!r.failed);
    mpack_buffer_done(&b);
    return rows;
}

/* Between the messages of one group may lie any number that only others still need. */
Test(ledger_peek, past_many_messages_of_others_ends_and_says_where_to_go_on)
{
    struct fixture f;
    uint64_t next = 0;
    bool more = false;
    fixture_init(&f);
    f.careless = true; /* an audit of this many rows after each step takes long */
    topic_create_groups(&f, "t", "default late");
    publish(&f, "t", 10500);
    topic_purge(&f, "t", "default");
    tick_until_quiet(&f);
    publish(&f, "t", 1);
    cr_assert_eq(page(&f, 0, &more, &next), 0);
    cr_assert(more);
    cr_assert_lt(next, 10500);
    cr_assert_eq(page(&f, next, &more, &next), 1);
    cr_assert(!more);
    cr_assert_eq(next, 10501);
    fixture_done(&f);
}
