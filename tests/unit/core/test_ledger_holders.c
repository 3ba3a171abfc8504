/* test_ledger_holders: the listing of what is in flight has each of it once and nothing else, in order, whatever the
 * size of its pages; and it does not cost more for what lies between. */
#include "proto/limits.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

enum { MESSAGES = 600 };

struct listed {
    uint64_t seqs[MESSAGES];
    uint64_t attempts[MESSAGES], deliveries[MESSAGES];
    size_t count, pages;
    uint64_t rows; /* looked at */
};

static uint64_t number(struct mpack_reader *r, const char *key)
{
    cr_assert(slice_is(mpack_read_str(r), key), "%s", key);
    return mpack_read_uint(r);
}

static void read_row(struct mpack_reader *r, struct listed *to)
{
    uint32_t keys = mpack_read_map(r);
    cr_assert_lt(to->count, MESSAGES);
    to->seqs[to->count] = number(r, "seq");
    to->attempts[to->count] = number(r, "attempts");
    to->deliveries[to->count++] = number(r, "deliveries");
    for (uint32_t i = 3; i < keys; i++) {
        (void)mpack_read_str(r);
        (void)mpack_read_any(r);
    }
}

static uint64_t read_page(struct fixture *f, uint64_t after, uint32_t limit, struct listed *to,
                          bool *ret_more)
{
    struct view v = {.ledger = f->l};
    struct mpack_buffer b = {0};
    struct mpack_reader r;
    uint64_t rows = ledger_rows(f->l);
    cr_assert_eq(store_begin(f->store, false, &v.txn), 0);
    cr_assert_eq(view_holders(&v, fixture_group(f, "t", "default"), after, limit, &b), 0);
    store_abort(v.txn);
    to->rows += ledger_rows(f->l) - rows;
    to->pages++;
    mpack_read_init(&r, b.data, b.size);
    uint32_t count = mpack_read_array(&r);
    cr_assert_leq(count, limit);
    for (uint32_t i = 0; i < count; i++)
        read_row(&r, to);
    *ret_more = mpack_read_bool(&r);
    after = mpack_read_uint(&r);
    cr_assert(!r.failed);
    mpack_buffer_done(&b);
    return after;
}

static struct listed list(struct fixture *f, uint32_t limit)
{
    struct listed all = {.count = 0};
    bool more = true;
    for (uint64_t after = 0; more;)
        after = read_page(f, after, limit, &all, &more);
    return all;
}

/* Against what the ledger says of each message by itself. */
static void compare(struct fixture *f, uint64_t last, uint32_t limit)
{
    struct listed all = list(f, limit);
    size_t at = 0;
    for (uint64_t seq = 1; seq <= last; seq++) {
        const char *state = state_of(f, "t", "default", seq);
        bool there = at < all.count && all.seqs[at] == seq;
        cr_assert_eq(there, strcmp(state, "in_flight") == 0, "message %llu is %s, with pages of %u",
                     (unsigned long long)seq, state, limit);
        at += there;
    }
    cr_assert_eq(at, all.count);
}

static void compare_all(struct fixture *f, uint64_t last)
{
    static const uint32_t limits[] = {1, 2, 7, PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        compare(f, last, limits[i]);
}

Test(ledger_holders, whatever_happened_to_them_all_in_flight_are_listed_once_and_in_order)
{
    struct fixture f;
    uint32_t dice = 1;
    fixture_init(&f);
    f.careless = f.quiet = true;
    topic_create_groups(&f, "t", "default other");
    for (unsigned round = 0; round < 10; round++) {
        publish(&f, "t", 20);
        assign(&f, "t", "default", 17);
        assign(&f, "t", "other", 5);
        for (uint64_t seq = 1; seq <= (round + 1) * 20ull; seq++) {
            dice = dice * 1664525 + 1013904223;
            if (strcmp(state_of(&f, "t", "default", seq), "in_flight") != 0)
                continue;
            if (dice >> 28 < 2)
                ack(&f, "t", "default", seq);
            else if (dice >> 28 < 5)
                nack(&f, "t", "default", seq, 1);
        }
        tick(&f, f.now_ms + 10);
        compare_all(&f, (round + 1) * 20ull);
    }
    cr_assert_gt(list(&f, 7).count, 20, "there was something to list");
    fixture_reload(&f);
    compare_all(&f, 200);
    fixture_done(&f);
}

Test(ledger_holders, a_first_flight_has_one_delivery_and_a_later_one_what_its_row_says)
{
    struct fixture f;
    fixture_init(&f);
    topic_create_groups(&f, "t", "default");
    publish(&f, "t", 2);
    assign(&f, "t", "default", 2);
    nack(&f, "t", "default", 1, 1);
    tick(&f, f.now_ms + 10);
    assign(&f, "t", "default", 1);
    struct listed all = list(&f, 10);
    cr_assert_eq(all.count, 2);
    cr_assert_eq(all.attempts[0], 1);
    cr_assert_eq(all.deliveries[0], 2);
    cr_assert_eq(all.attempts[1], 0);
    cr_assert_eq(all.deliveries[1], 1);
    fixture_done(&f);
}

/* One that is held long, and far behind it another: what was done between them costs a small part of a row each. */
Test(ledger_holders, what_is_done_between_them_is_passed_over)
{
    enum { DONE = 9000 };
    struct fixture f;
    fixture_init(&f);
    f.careless = f.quiet = true;
    topic_create_groups(&f, "t", "default");
    for (unsigned done = 0; done < DONE; done += 100) {
        publish(&f, "t", 100);
        assign(&f, "t", "default", 100);
        for (uint64_t seq = done ? done + 1 : 2; seq <= done + 100ull; seq++)
            ack(&f, "t", "default", seq);
    }
    publish(&f, "t", 1);
    assign(&f, "t", "default", 1);
    struct listed all = list(&f, 10);
    cr_assert_eq(all.count, 2);
    cr_assert_eq(all.seqs[0], 1);
    cr_assert_eq(all.seqs[1], DONE + 1);
    cr_assert_eq(all.pages, 1);
    cr_assert_lt(all.rows, 20, "%llu rows were looked at", (unsigned long long)all.rows);
    fixture_done(&f);
}
