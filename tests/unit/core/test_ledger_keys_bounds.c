/* Groups whose keys count: what a hand-out, an answer or a publish costs does not grow with what waits. Costs are calls of the
 * store, beside a small backlog and beside a large one. */
#include "tests/unit/core/faults.h"
#include "tests/unit/core/ledger_fair.h"

#define FEW  50u
#define MANY 5000u

static struct faults counter;

/* A bitmap, or a record, may be longer by as much. */
#define SLACK 4u

struct costs {
    uint64_t hand_out, ack, fail, publish;
};

/* So many of one key, which is passed over as far as the group's settings want that. */
static void begin_backlog(struct fixture *f, int64_t order, int64_t fair, int64_t run, uint32_t waiting)
{
    char keys[FEW + 1];
    fixture_init(f);
    f->quiet = f->careless = true;
    topic_create(f, "t",
                 settings(POLICY_order, order, POLICY_fair, fair, POLICY_key_run, run, POLICY_backoff_min_ms,
                          100, POLICY_backoff_max_ms, 100, POLICY_backoff_floor_ms, 100, -1));
    memset(keys, 'A', FEW);
    keys[FEW] = '\0';
    for (uint32_t i = 0; i < waiting; i += FEW)
        publish_keys(f, keys, 0, 0);
    assign(f, "t", "default", 1);
    cr_assert_eq(f->handed_seqs[0], 1);
    for (uint32_t i = 0; order && i < waiting; i += FEW)
        assign(f, "t", "default", 1); /* 1,024 are passed over by one */
    faults_init(&counter, f->store);
    counter.counts = true;
    f->store = &counter.base;
}

static uint64_t calls(void)
{
    uint64_t count = counter.calls;
    faults_arm(&counter, 0, 0);
    return count;
}

static struct costs costs_beside(int64_t order, int64_t fair, int64_t run, uint32_t waiting)
{
    struct fixture f;
    struct costs costs;
    begin_backlog(&f, order, fair, run, waiting);
    if (fair && !order) { /* the look at the backlog, once */
        publish_keys(&f, "B", 0, 0);
        for (assign(&f, "t", "default", 1); f.handed_seqs[0] <= waiting; assign(&f, "t", "default", 1))
            ack(&f, "t", "default", f.handed_seqs[0]);
        ack(&f, "t", "default", f.handed_seqs[0]);
    }
    (void)calls();
    publish_keys(&f, "CD", 0, 0);
    costs.publish = calls();
    assign(&f, "t", "default", 2);
    costs.hand_out = calls();
    cr_assert_eq(f.handed, 2);
    cr_assert_gt(f.handed_seqs[0], waiting, "others are handed out beside the backlog");
    nack(&f, "t", "default", f.handed_seqs[0], 1000);
    costs.fail = calls();
    ack(&f, "t", "default", f.handed_seqs[1]);
    if (order)
        ack(&f, "t", "default", 1); /* and the next of its key can go */
    costs.ack = calls();
    f.store = counter.inner;
    f.careless = false;
    fixture_done(&f);
    return costs;
}

static void compare(int64_t order, int64_t fair, int64_t run)
{
    struct costs few = costs_beside(order, fair, run, FEW), many = costs_beside(order, fair, run, MANY);
    cr_log_info(
        "order %d, fair %d, run %d: calls %llu %llu %llu %llu beside few, %llu %llu %llu %llu beside many",
        (int)order, (int)fair, (int)run, (unsigned long long)few.publish, (unsigned long long)few.hand_out,
        (unsigned long long)few.fail, (unsigned long long)few.ack, (unsigned long long)many.publish,
        (unsigned long long)many.hand_out, (unsigned long long)many.fail, (unsigned long long)many.ack);
    cr_assert(few.hand_out && few.ack && few.fail && few.publish, "something was counted");
    cr_assert_leq(many.publish, few.publish + SLACK);
    cr_assert_leq(many.hand_out, few.hand_out + SLACK);
    cr_assert_leq(many.fail, few.fail + SLACK);
    cr_assert_leq(many.ack, few.ack + SLACK);
}

Test(ledger_bounds, a_key_with_many_waiting_costs_others_no_more_where_keys_are_ordered)
{
    compare(ORDER_KEY, FAIR_NONE, 1);
    compare(ORDER_KEY, FAIR_NONE, 3);
}

Test(ledger_bounds, a_key_with_many_waiting_costs_others_no_more_where_keys_take_turns)
{
    compare(ORDER_NONE, FAIR_KEY, 1);
    compare(ORDER_KEY, FAIR_KEY, 1);
}

/* What one search has found to be empty is not searched again, until a row is put there. */
Test(ledger_bounds, beside_a_key_with_rows_others_are_searched_for_once)
{
    struct fixture f;
    uint64_t costs[2];
    begin_backlog(&f, ORDER_KEY, FAIR_NONE, 1, FEW);
    for (unsigned round = 0; round < 2; round++) {
        publish_keys(&f, "C", 0, 0);
        (void)calls();
        assign(&f, "t", "default", 1);
        cr_assert_eq(f.handed, 1);
        ack(&f, "t", "default", f.handed_seqs[0]);
        costs[round] = calls();
    }
    cr_assert_lt(costs[1], costs[0]);
    publish_keys(&f, "CC", 0, 0);
    assign(&f, "t", "default", 1);
    uint64_t first = f.handed_seqs[0];
    nack(&f, "t", "default", first, 1000);
    assign(&f, "t", "default", 1);
    cr_assert_eq(f.handed, 0, "the second waits for the first, which has a row now");
    tick(&f, f.now_ms + 1000);
    assign(&f, "t", "default", 2);
    cr_assert(f.handed == 1 && f.handed_seqs[0] == first);
    f.store = counter.inner;
    f.careless = false;
    fixture_done(&f);
}
