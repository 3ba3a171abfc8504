/* Causes of dead letters: what grows has a limit, or a cost that does not grow with it. */
#include "broker/core/cause.h"
#include "tests/unit/core/faults.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct faults counter; /* of calls of the store */

static void begin(struct fixture *f)
{
    fixture_init(f);
    f->quiet = f->careless = true; /* an audit of this many rows after each step takes long */
    faults_init(&counter, f->store);
    counter.counts = true;
    f->store = &counter.base;
}

static void end(struct fixture *f)
{
    f->store = counter.inner;
    fixture_done(f);
}

/* The messages `first` … die in the group, each of the fault with the next number of `faults`. */
static void die(struct fixture *f, const char *topic, const char *group, uint64_t first, uint32_t count,
                unsigned faults)
{
    struct resolution *all = calloc(count, sizeof *all);
    char(*types)[16] = calloc(faults, sizeof *types);
    cr_assert(all && types);
    for (unsigned i = 0; i < faults; i++) /* in letters, for numbers are not what faults differ by */
        (void)snprintf(types[i], sizeof types[i], "Fault%c%c", (char)('a' + i / 26), (char)('a' + i % 26));
    for (uint32_t i = 0; i < count; i++) {
        all[i] = (struct resolution){
            .seq = first + i, .token = 1, .outcome = ATTEMPT_REJECTED, .error_type = text(types[i % faults])};
    }
    assign(f, topic, group, count);
    fixture_run(
        f, (struct command){
               .kind = COMMAND_RESOLVE,
               .resolve = {.group = fixture_group(f, topic, group)->r.id, .entries = all, .count = count}});
    free(types);
    free(all);
}

struct look {
    uint64_t calls, rows;
};

static struct look list_causes(struct fixture *f, uint32_t expected)
{
    struct view v = {.ledger = f->l};
    struct mpack_buffer b = {0};
    struct mpack_reader r;
    struct look look;
    cr_assert_eq(store_begin(f->store, false, &v.txn), 0);
    faults_arm(&counter, 0, 0);
    look.rows = ledger_rows(f->l);
    cr_assert_eq(view_causes(&v, fixture_group(f, "t", "default"), &b), 0);
    look.rows = ledger_rows(f->l) - look.rows;
    look.calls = counter.calls;
    store_abort(v.txn);
    mpack_read_init(&r, b.data, b.size);
    cr_assert_eq(mpack_read_array(&r), expected);
    mpack_buffer_done(&b);
    return look;
}

Test(causes_bounds, a_listing_of_causes_costs_by_the_causes_and_not_by_the_letters)
{
    enum { FEW = 20, MANY = 20000, FAULTS = 5 };
    struct fixture f;
    begin(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", FEW + MANY);
    die(&f, "t", "default", 1, FEW, FAULTS);
    struct look few = list_causes(&f, FAULTS);
    die(&f, "t", "default", 1 + FEW, MANY, FAULTS);
    struct look many = list_causes(&f, FAULTS);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.dead, FEW + MANY);
    cr_log_info("%llu rows and %llu calls for %d letters", (unsigned long long)many.rows,
                (unsigned long long)many.calls, FEW + MANY);
    cr_assert(few.rows == many.rows && few.calls == many.calls);
    cr_assert(many.rows >= FAULTS && many.rows < 10 * FAULTS);
    end(&f);
}

Test(causes_bounds, causes_of_all_groups_have_a_limit)
{
    enum { TOPICS = CAUSES_TOTAL_MAX / CAUSES_MAX / 2 };
    struct fixture f;
    char topic[16];
    begin(&f);
    for (int i = 0; i <= TOPICS; i++) {
        (void)snprintf(topic, sizeof topic, "t%d", i);
        topic_create_groups(&f, topic, "a b");
        publish(&f, topic, CAUSES_MAX);
    }
    for (int i = 0; i < TOPICS; i++) {
        (void)snprintf(topic, sizeof topic, "t%d", i);
        die(&f, topic, "a", 1, CAUSES_MAX, CAUSES_MAX);
        die(&f, topic, "b", 1, CAUSES_MAX - (i == 0), CAUSES_MAX);
    }
    cr_assert_eq(f.l->causes_count, CAUSES_TOTAL_MAX - 1);
    (void)snprintf(topic, sizeof topic, "t%d", TOPICS);
    die(&f, topic, "a", 1, 3, 3);
    const struct group *g = fixture_group(&f, topic, "a");
    cr_assert_eq(g->causes_count, 2, "one of its own, and one for what is beyond the limit");
    cr_assert(g->causes[0]->fingerprint == CAUSE_OTHERS && g->causes[0]->r.count == 2);
    uint64_t count = f.l->causes_count;
    die(&f, topic, "b", 1, 2, 2);
    cr_assert_eq(fixture_group(&f, topic, "b")->causes_count, 1, "each queue has its own for that");
    cr_assert(f.l->causes_count == count + 1 && view_causes_shared(f.l) == 2);
    fixture_reload(&f);
    cr_assert(f.l->causes_count == count + 1 && view_causes_shared(f.l) == 2);
    topic_delete(&f, "t0");
    tick_until_quiet(&f);
    die(&f, topic, "a", 4, 1, 1); /* of the first fault again, which has a cause */
    cr_assert_eq(fixture_group(&f, topic, "a")->causes_count, 2);
    topic_delete(&f, topic);
    tick_until_quiet(&f);
    cr_assert_eq(view_causes_shared(f.l), 0, "it goes with its group");
    end(&f);
}
