/* What fails beneath the ledger: every kind of command, and every batch of the ledger's other tests, with
 * each call of the store and each allocation failing in turn. */
#include "tests/unit/core/ledger_faults.h"
#include "tests/unit/core/ledger_scene.h"

#include <criterion/criterion.h>

/* ---- the other tests once more ---- */

#define SMALL_ROWS 500 /* of a store; a larger one would take long */
/* Places in a batch that are tried, and of each test's batches every so manyth. A sanitizer makes each several times slower,
 * and is there for other faults. */
#ifdef __SANITIZE_ADDRESS__
#define PLACES 6
#define EVERY  3
#else
#define PLACES 24
#define EVERY  1
#endif

static bool is_small(struct fixture *f)
{
    return rows_in(f, TABLE_MESSAGE) + rows_in(f, TABLE_ATTEMPT) + rows_in(f, TABLE_DEDUP) < SMALL_ROWS;
}

static void try_some(void *context, const struct batch *b)
{
    static unsigned batches;
    struct fixture *f = context;
    if (!f->careless && is_small(f) && batches++ % EVERY == 0)
        faults_try(f, b, PLACES);
}

void fixture_begun(struct fixture *f)
{
    f->tap = try_some;
    f->tap_context = f;
}

/* ---- every kind of command ---- */

static uint64_t failures;

static void try_all_places(void *context, const struct batch *b)
{
    failures += faults_try(context, b, 0);
}

Test(ledger_faults, of_every_kind_of_command_come_out_and_leave_nothing)
{
    uint64_t kinds = 0;
    for (size_t i = 0; i < scene_doings_count; i++) {
        struct fixture f;
        scene_init(&f);
        f.tap = try_all_places;
        f.tap_context = &f;
        failures = 0;
        scene_doings[i].run(&f);
        cr_assert_eq(f.applied_last, scene_doings[i].kind);
        cr_assert(f.changed && !f.stale, "command %zu had nothing to do", i);
        cr_assert_geq(failures, 4 * 2, "command %zu: %llu", i, (unsigned long long)failures);
        kinds |= 1ull << f.applied_last;
        fixture_done(&f);
    }
    const uint64_t all = 0
#define COMMAND(NAME, number, member, apply, least, text) | 1ull << number
#include "broker/core/command.def"
        ;
    cr_assert_eq(kinds, all);
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
    scene_init(&f);
    cr_assert_gt(faults_try_reading(&f, load_ledger, NULL), 4 * 10);
    fixture_done(&f);
}

/* ---- reading ---- */

static int view_it(struct fixture *f, struct store_txn *txn, void *context)
{
    struct view v = {.ledger = f->l, .txn = txn};
    struct mpack_buffer to = {0};
    scene_view_fn *const *view = context;
    int err = (*view)(&v, &to);
    mpack_buffer_done(&to);
    mpack_buffer_done(&f->l->scratch);
    return err;
}

Test(ledger_faults, of_reading_come_out)
{
    struct fixture f;
    scene_init(&f);
    for (size_t i = 0; i < scene_views_count; i++) {
        scene_view_fn *view = scene_views[i];
        cr_assert_geq(faults_try_reading(&f, view_it, &view), 4, "view %zu", i);
    }
    fixture_done(&f);
}

/* Metrics show what can be read. */
Test(ledger_faults, of_reading_figures_leave_those_out)
{
    struct faults s;
    struct fixture f;
    struct group_numbers g;
    uint64_t whole = 0;
    scene_init(&f);
    faults_init(&s, f.store);
    for (uint64_t n = 0, failed = 1; failed; n++) {
        struct view v = {.ledger = f.l};
        struct groups_cursor cursor = {0};
        uint64_t groups = 0, times = 0;
        cr_assert_eq(store_begin(&s.base, false, &v.txn), 0);
        faults_arm(&s, n, SHUNT_IO);
        for (; view_next_group(&v, &cursor, &g); groups++)
            times += (g.oldest_ready_ms != 0) + (g.oldest_dead_ms != 0);
        failed = !n || s.calls >= n;
        whole = n ? whole : times;
        store_abort(v.txn);
        cr_assert_eq(groups, 3, "t/a, t/b, u/default");
        cr_assert(n && failed ? times < whole : times == whole);
    }
    cr_assert_geq(whole, 3);
    fixture_done(&f);
}

Test(ledger_faults, nothing_is_ready_in_a_group_that_there_is_not)
{
    struct fixture f;
    struct group_ready ready = {.lane = {1, 1}, .paused = true};
    scene_init(&f);
    ledger_group_ready(f.l, 9999, &ready);
    cr_assert(!ready.lane[LANE_NORMAL] && !ready.lane[LANE_SUSPECT] && !ready.paused);
    fixture_done(&f);
}
