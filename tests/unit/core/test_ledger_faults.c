/* What fails beneath the ledger: every kind of command, and every batch of the ledger's other tests, with
 * each call of the store and each allocation failing in turn. */
#include "tests/unit/core/ledger_faults.h"

#include <criterion/criterion.h>

/* ---- the other tests once more ---- */

#define SMALL_ROWS 500 /* of a store; a larger one would take long */

static bool is_small(struct fixture *f)
{
    return rows_in(f, TABLE_MESSAGE) + rows_in(f, TABLE_ATTEMPT) + rows_in(f, TABLE_DEDUP) < SMALL_ROWS;
}

static void try_some(void *context, const struct batch *b)
{
    struct fixture *f = context;
    if (!f->careless && is_small(f))
        faults_try(f, b, 24);
}

void fixture_begun(struct fixture *f)
{
    f->tap = try_some;
    f->tap_context = f;
}

/* ---- every kind of command ---- */

/* A message in every state that there is, for groups with and without a time to live, and a job that goes on.
 */
static void scene(struct fixture *f)
{
    fixture_init(f);
    f->tap = NULL;
    topic_create_groups(f, "t", "a b");
    topic_update(f, "t", settings(POLICY_max_attempts, 2, POLICY_dlq_retention_ms, 3600000, -1));
    publish(f, "t", 8);
    publish_timed(f, "t", 5000, 60000);
    publish_timed(f, "t", 0, 60000);
    publish_as(f, "t", "0123456789abcdef", 1, 0, 2, 0);
    assign(f, "t", "a", 8);
    ack(f, "t", "a", 1);
    fail(f, "t", "a", 2, ATTEMPT_REJECTED);
    fail(f, "t", "a", 3, ATTEMPT_REJECTED);
    fail(f, "t", "a", 4, ATTEMPT_REJECTED);
    nack(f, "t", "a", 5, 1000);
    fail(f, "t", "a", 6, ATTEMPT_SUSPECTED);
    fail(f, "t", "a", 7, ATTEMPT_RELEASED); /* 8 stays in flight */
    assign(f, "dlq:t:a", "default", 1);
    redrive(f, "t", "a", 2, 1); /* the second one in a second */
    fixture_forget(f);
}

static void do_recover(struct fixture *f)
{
    recover(f);
}
static void do_limits(struct fixture *f)
{
    fixture_run(f, (struct command){.kind = COMMAND_LIMITS, .limits = {5, 5, 100, 1000}});
}
static void do_tick(struct fixture *f)
{
    tick(f, 3 * 3600000); /* everything is due, expired or kept long enough */
}
static void do_publish(struct fixture *f)
{
    publish_as(f, "t", "0123456789abcdef", 2, 1, 3, 0);
}
static void do_assign(struct fixture *f)
{
    assign(f, "t", "a", 10);
}
static void do_resolve(struct fixture *f)
{
    nack(f, "t", "a", 8, DELAY_BACKOFF);
}
static void do_topic_create(struct fixture *f)
{
    topic_create_groups(f, "u", "x y");
}
static void do_topic_update(struct fixture *f)
{
    topic_update(f, "t", settings(POLICY_max_attempts, 1, -1));
}
static void do_topic_delete(struct fixture *f)
{
    topic_delete(f, "t");
}
static void do_topic_purge(struct fixture *f)
{
    topic_purge(f, "t", NULL);
}
static void do_group_create(struct fixture *f)
{
    group_create(f, "t", "c", false);
}
static void do_group_update(struct fixture *f)
{
    group_update(f, "t", "a", settings(POLICY_max_attempts, 1, -1));
}
static void do_group_delete(struct fixture *f)
{
    group_delete(f, "t", "a");
}
static void do_group_pause(struct fixture *f)
{
    group_pause(f, "t", "a", true);
}
static void do_dlq_redrive(struct fixture *f)
{
    redrive_ids(f, "t", "a", "t/3 dlq:t:a/3");
}
static void do_dlq_purge(struct fixture *f)
{
    dlq_purge(f, "t", "a", UINT64_MAX);
}

static void (*const doings[])(struct fixture *f) = {
    [COMMAND_RECOVER] = do_recover,
    [COMMAND_LIMITS] = do_limits,
    [COMMAND_TICK] = do_tick,
    [COMMAND_PUBLISH] = do_publish,
    [COMMAND_ASSIGN] = do_assign,
    [COMMAND_RESOLVE] = do_resolve,
    [COMMAND_TOPIC_CREATE] = do_topic_create,
    [COMMAND_TOPIC_UPDATE] = do_topic_update,
    [COMMAND_TOPIC_DELETE] = do_topic_delete,
    [COMMAND_TOPIC_PURGE] = do_topic_purge,
    [COMMAND_GROUP_CREATE] = do_group_create,
    [COMMAND_GROUP_UPDATE] = do_group_update,
    [COMMAND_GROUP_DELETE] = do_group_delete,
    [COMMAND_GROUP_PAUSE] = do_group_pause,
    [COMMAND_DLQ_REDRIVE] = do_dlq_redrive,
    [COMMAND_DLQ_PURGE] = do_dlq_purge,
};

static uint64_t failures;

static void try_all_places(void *context, const struct batch *b)
{
    failures += faults_try(context, b, 0);
}

Test(ledger_faults, of_every_kind_of_command_come_out_and_leave_nothing)
{
    for (size_t kind = COMMAND_RECOVER; kind < sizeof doings / sizeof *doings; kind++) {
        struct fixture f;
        scene(&f);
        f.tap = try_all_places;
        failures = 0;
        doings[kind](&f);
        cr_assert_eq(f.applied_last, kind);
        cr_assert(f.changed, "command %zu had nothing to do", kind);
        cr_assert_geq(failures, 4 * 2, "command %zu: %llu", kind, (unsigned long long)failures);
        fixture_done(&f);
    }
}

/* ---- loading ---- */

static int load_ledger(struct fixture *f, struct store_txn *txn, void *context)
{
    struct ledger *l = NULL;
    char why[512];
    (void)f;
    (void)context;
    int err = ledger_new(txn, &l, why, sizeof why);
    if (!err)
        ledger_free(l);
    return err;
}

Test(ledger_faults, of_loading_come_out)
{
    struct fixture f;
    scene(&f);
    cr_assert_gt(faults_try_reading(&f, load_ledger, NULL), 4 * 10);
    fixture_done(&f);
}

/* ---- reading ---- */

typedef int view_fn(const struct view *v, struct fixture *f, struct mpack_buffer *to);

static int view_it(struct fixture *f, struct store_txn *txn, void *context)
{
    struct view v = {.ledger = f->l, .txn = txn};
    struct mpack_buffer to = {0};
    view_fn *const *view = context;
    int err = (*view)(&v, f, &to);
    mpack_buffer_done(&to);
    mpack_buffer_done(&f->l->scratch);
    return err;
}

static int one_topic(const struct view *v, struct fixture *f, struct mpack_buffer *to)
{
    return view_topic(v, ledger_topic(f->l, text("t")), to);
}
static int all_topics(const struct view *v, struct fixture *f, struct mpack_buffer *to)
{
    (void)f;
    return view_topics(v, text(""), 10, to);
}
static int a_peek(const struct view *v, struct fixture *f, struct mpack_buffer *to)
{
    return view_peek(v, fixture_group(f, "t", "a"), 0, 100, true, to);
}
static int dead_letters(const struct view *v, struct fixture *f, struct mpack_buffer *to)
{
    return view_dead_list(v, fixture_group(f, "t", "a"), 0, 10, to);
}
static int a_dead_letter(const struct view *v, struct fixture *f, struct mpack_buffer *to)
{
    return view_dead(v, fixture_group(f, "t", "a"), text("t/3"), to);
}
static int a_job(const struct view *v, struct fixture *f, struct mpack_buffer *to)
{
    (void)f;
    return view_job(v, 1, to);
}

Test(ledger_faults, of_reading_come_out)
{
    static view_fn *const views[] = {one_topic, all_topics, a_peek, dead_letters, a_dead_letter, a_job};
    struct fixture f;
    scene(&f);
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        view_fn *view = views[i];
        cr_assert_geq(faults_try_reading(&f, view_it, &view), 4, "view %zu", i);
    }
    fixture_done(&f);
}
