/* Since when the oldest ready message of a group has been ready. */
#include "broker/core/view.h"
#include "tests/unit/core/ledger_order.h"

#include <criterion/criterion.h>
#include <string.h>

/* As group_info shows it, after T0; -1: none. */
static int64_t oldest_ready(struct fixture *f, const char *topic, const char *group)
{
    struct mpack_buffer b = {0};
    struct mpack_reader r;
    struct view v = {.ledger = f->l};
    int64_t oldest_ms = 0;
    cr_assert_eq(store_begin(f->store, false, &v.txn), 0);
    cr_assert_eq(view_group(&v, fixture_group(f, topic, group), &b), 0);
    mpack_read_init(&r, b.data, b.size);
    for (uint32_t n = mpack_read_map(&r); n > 0; n--) {
        struct slice key = mpack_read_str(&r);
        if (slice_is(key, "oldest_ready") && mpack_peek(&r) == MPACK_INT)
            oldest_ms = mpack_read_int(&r);
        else
            (void)mpack_read_any(&r);
    }
    store_abort(v.txn);
    mpack_buffer_done(&b);
    return oldest_ms ? oldest_ms - T0 : -1;
}

/* It waits from when it could be taken: a message that was published, a dead letter that died, one that came
 * back from the DLQ. What comes back uncharged has waited on. */
Test(ledger_oldest, it_waits_from_when_it_could_be_taken)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 1);
    fixture_at(&f, 9);
    assign(&f, "t", "default", 1);
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    cr_assert_eq(oldest_ready(&f, "t", "default"), -1);
    cr_assert_eq(oldest_ready(&f, "dlq:t:default", "default"), 9);
    fixture_at(&f, 20);
    assign(&f, "dlq:t:default", "default", 1);
    cr_assert_eq(oldest_ready(&f, "dlq:t:default", "default"), -1);
    fail(&f, "dlq:t:default", "default", 1, ATTEMPT_RELEASED);
    cr_assert_eq(oldest_ready(&f, "dlq:t:default", "default"), 9);
    publish(&f, "t", 1);
    cr_assert_eq(oldest_ready(&f, "t", "default"), 20);
    fixture_at(&f, 30);
    assign(&f, "t", "default", 1);
    redrive(&f, "t", "default", 1, 0);
    cr_assert_eq(oldest_ready(&f, "t", "default"), 30);
    fixture_at(&f, 40);
    fail(&f, "t", "default", 2, ATTEMPT_RELEASED);
    cr_assert_eq(oldest_ready(&f, "t", "default"), 20, "it is in front, and has waited on");
    assign(&f, "t", "default", 1);
    cr_assert_eq(oldest_ready(&f, "t", "default"), 30);
    fixture_done(&f);
}

/* The time that it was not to be handed out is not time that it waited. */
Test(ledger_oldest, a_delay_is_not_waited_for_anybody)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_backoff_min_ms, 1000, POLICY_backoff_max_ms, 1000, -1));
    publish_timed(&f, "t", 4000, 0);
    cr_assert_eq(oldest_ready(&f, "t", "default"), -1);
    tick(&f, 4000);
    cr_assert_eq(oldest_ready(&f, "t", "default"), 4000);
    fixture_at(&f, 5000);
    assign(&f, "t", "default", 1);
    fail(&f, "t", "default", 1, ATTEMPT_RELEASED);
    fixture_at(&f, 6000);
    cr_assert_eq(oldest_ready(&f, "t", "default"), 4000, "released, it has waited on");
    assign(&f, "t", "default", 1);
    fail(&f, "t", "default", 1, ATTEMPT_NACKED);
    tick(&f, 8000);
    int64_t since_ms = oldest_ready(&f, "t", "default");
    cr_assert(since_ms > 6000 && since_ms <= 7000, "since its back-off was over, not %lld",
              (long long)since_ms);
    group_create(&f, "t", "late", false);
    cr_assert_eq(oldest_ready(&f, "t", "late"), 8000, "a group waits for nothing before it is there");
    fixture_done(&f);
}

/* The store's operations, but for searches: of a damaged tree, each ends at the front. */
static struct store_ops misled;
static int (*seek_truly)(struct store_cursor *c, struct slice key, struct slice *ret_key,
                         struct slice *ret_value);
static unsigned searches;

static int seek_the_front(struct store_cursor *c, struct slice key, struct slice *ret_key,
                          struct slice *ret_value)
{
    (void)key;
    cr_assert_lt(++searches, 1000000, "it asks again and again");
    return seek_truly(c, (struct slice){"", 1}, ret_key, ret_value);
}

Test(ledger_oldest, a_damaged_tree_that_answers_with_the_front_again_is_not_asked_for_ever)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 1);
    assign(&f, "t", "default", 1);
    fail(&f, "t", "default", 1, ATTEMPT_RELEASED);
    const struct store_ops *sound = f.store->ops;
    misled = *sound;
    seek_truly = sound->cursor_seek;
    misled.cursor_seek = seek_the_front;
    f.store->ops = &misled;
    cr_assert_eq(oldest_ready(&f, "t", "default"), 0);
    f.store->ops = sound;
    fixture_done(&f);
}

/* Those that wait for their turn by key stand elsewhere. */
Test(ledger_oldest, it_may_wait_for_the_turn_of_its_key)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_fair, FAIR_KEY, -1));
    publish_keys(&f, "CA", 0, 0);
    fixture_at(&f, 10);
    publish_keys(&f, "AAA", 0, 0);
    fixture_at(&f, 20);
    for (uint64_t seq = 1; seq <= 2; seq++) {
        assign(&f, "t", "default", 1);
        cr_assert_eq(f.handed, 1);
        cr_assert_eq(oldest_ready(&f, "t", "default"), seq == 1 ? 0 : 10);
    }
    fixture_done(&f);
}
