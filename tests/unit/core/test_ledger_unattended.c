/* test_ledger_unattended: dead letters that nobody has looked at: how many, since when, and which were overdue. The
 * audit after each batch counts them by their rows. */
#include "broker/core/cause.h"
#include "broker/core/group_queue.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define MINUTE 60000

static void die(struct fixture *f, uint64_t seq, const char *type)
{
    struct resolution r = {.seq = seq,
                           .token = fixture_token(f, fixture_group(f, "t", "default")->r.id, seq),
                           .outcome = ATTEMPT_REJECTED,
                           .error_type = text(type),
                           .error_message = text("it did not work")};
    resolve(f, "t", "default", r);
}

static struct group *the_group(struct fixture *f)
{
    return fixture_group(f, "t", "default");
}

static const struct group_counts *counts(struct fixture *f)
{
    return &the_group(f)->r.counts;
}

static uint64_t cause_called(struct fixture *f, const char *begin)
{
    for (size_t i = 0; i < the_group(f)->causes_count; i++) {
        if (!strncmp(the_group(f)->causes[i]->r.title, begin, strlen(begin)))
            return the_group(f)->causes[i]->fingerprint;
    }
    cr_assert_fail("no cause is called %s", begin);
    return 0;
}

static void look_at_letter(struct fixture *f, const char *id)
{
    attend(f, "t", "default", 0, id);
}

static void look_at_cause(struct fixture *f, const char *begin)
{
    attend(f, "t", "default", cause_called(f, begin), "");
}

/* When the oldest died that nobody has looked at, by the test's clock; -1: there is none. */
static int64_t oldest_ms(struct fixture *f)
{
    struct store_txn *t;
    int64_t died_ms;
    cr_assert_eq(store_begin(f->store, false, &t), 0);
    cr_assert_eq(unattended_oldest(f->l, t, the_group(f), &died_ms), 0);
    store_abort(t);
    return died_ms ? died_ms - T0 : -1;
}

/* ---- counting ---- */

Test(ledger_unattended, each_letter_counts_until_somebody_looks_at_it_or_sends_it_away)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 6, 6);
    for (uint64_t seq = 1; seq <= 6; seq++) {
        fixture_at(&f, (int64_t)seq * 1000);
        die(&f, seq, seq == 3 ? "B" : "A");
    }
    cr_assert_eq(counts(&f)->unattended, 6);
    cr_assert_eq(oldest_ms(&f), 1000);
    fixture_at(&f, 10000);
    look_at_letter(&f, "t/1");
    cr_assert(counts(&f)->unattended == 5 && f.attended == 1 && f.attended_ms == 9000);
    cr_assert_eq(oldest_ms(&f), 2000, "also before a tick has moved the mark");
    look_at_letter(&f, "t/1");
    cr_assert(counts(&f)->unattended == 5 && f.attended == 1, "a second look is no news");
    redrive_ids(&f, "t", "default", "t/2");
    tick_until_quiet(&f);
    cr_assert(counts(&f)->unattended == 4 && f.attended == 2 && f.attended_ms == 8000);
    cr_assert_eq(oldest_ms(&f), 3000);
    dlq_purge_ids(&f, "t", "default", "t/3");
    tick_until_quiet(&f);
    cr_assert(counts(&f)->unattended == 3 && f.attended == 3 && f.attended_ms == 7000);
    look_at_cause(&f, "A");
    cr_assert(counts(&f)->unattended == 0 && f.attended == 4, "a cause counts once");
    cr_assert_eq(f.attended_ms, 9000, "since the first of it died");
    cr_assert_eq(oldest_ms(&f), -1);
    look_at_cause(&f, "A");
    cr_assert_eq(f.attended, 4);
    dlq_purge(&f, "t", "default", 9);
    tick_until_quiet(&f);
    cr_assert_eq(f.attended, 4, "they had been looked at");
    fixture_done(&f);
}

Test(ledger_unattended, what_dies_after_a_look_at_its_cause_waits_since_then)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 3, 3);
    die(&f, 1, "A");
    look_at_cause(&f, "A");
    fixture_at(&f, 5000);
    die(&f, 2, "A");
    die(&f, 3, "A");
    fixture_reload(&f);
    tick_until_quiet(&f);
    cr_assert(counts(&f)->unattended == 2 && oldest_ms(&f) == 5000);
    fixture_at(&f, 7000);
    look_at_cause(&f, "A");
    cr_assert_eq(f.attended_ms, 2000);
    fixture_done(&f);
}

Test(ledger_unattended, nobody_need_look_at_what_is_muted)
{
    struct fixture f;
    fixture_init_held(&f, settings(POLICY_dlq_retention_ms, 10 * MINUTE, -1), 4, 4);
    die(&f, 1, "A");
    cause_update(&f, "t", "default", cause_called(&f, "A"), CAUSE_MUTED);
    cr_assert(counts(&f)->unattended == 0 && f.attended == 1);
    die(&f, 2, "A");
    cr_assert_eq(counts(&f)->unattended, 0);
    cr_assert(!deadline_heap_has(&f.l->queues[QUEUE_TRIAGE], the_group(&f)->slot) ||
                  the_group(&f)->r.attended_below < 3,
              "a death of it makes no work");
    cause_update(&f, "t", "default", cause_called(&f, "A"), CAUSE_SEEN);
    die(&f, 3, "A");
    cr_assert_eq(counts(&f)->unattended, 1, "it is not muted any more");
    fixture_at(&f, 20 * MINUTE);
    tick_until_quiet(&f);
    cr_assert(counts(&f)->expired == 3 && counts(&f)->expired_unattended == 1);
    cr_assert(counts(&f)->slo_breaches == 1 && f.attended == 1);
    fixture_done(&f);
}

Test(ledger_unattended, what_retention_drops_unseen_is_counted)
{
    struct fixture f;
    fixture_init_held(&f, settings(POLICY_dlq_retention_ms, MINUTE, -1), 3, 3);
    for (uint64_t seq = 1; seq <= 3; seq++)
        die(&f, seq, seq == 2 ? "B" : "A");
    look_at_cause(&f, "B");
    fixture_at(&f, MINUTE);
    tick_until_quiet(&f);
    cr_assert(counts(&f)->expired == 3 && counts(&f)->expired_unattended == 2);
    cr_assert(counts(&f)->unattended == 0 && counts(&f)->slo_breaches == 0, "they were not overdue yet");
    fixture_reload(&f);
    cr_assert_eq(counts(&f)->expired_unattended, 2);
    fixture_done(&f);
}

/* ---- overdue ---- */

Test(ledger_unattended, a_letter_is_overdue_once)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 3, 3);
    die(&f, 1, "A");
    fixture_at(&f, MINUTE);
    die(&f, 2, "A");
    die(&f, 3, "B");
    look_at_cause(&f, "B");
    tick_until_quiet(&f);
    cr_assert_eq(group_queue_first(f.l, QUEUE_TRIAGE), T0 + 5 * MINUTE);
    tick(&f, 5 * MINUTE - 1);
    cr_assert_eq(counts(&f)->slo_breaches, 0);
    tick(&f, 5 * MINUTE);
    cr_assert(counts(&f)->slo_breaches == 1 && f.overdue == 1 && f.overdue_seq == 1);
    fixture_reload(&f);
    tick_until_quiet(&f);
    cr_assert_eq(counts(&f)->slo_breaches, 1, "not again after a restart");
    fixture_at(&f, 60 * MINUTE);
    fixture_reload(&f); /* it was away when the second became overdue */
    tick_until_quiet(&f);
    cr_assert_eq(counts(&f)->slo_breaches, 2, "and none is lost");
    cr_assert(f.overdue == 1 && f.overdue_seq == 2, "it is told, too");
    fixture_at(&f, 90 * MINUTE);
    look_at_cause(&f, "A");
    dlq_purge(&f, "t", "default", 9);
    tick_until_quiet(&f);
    cr_assert_eq(counts(&f)->slo_breaches, 2);
    cr_assert_eq(group_queue_first(f.l, QUEUE_TRIAGE), NEVER, "nothing is left to be done");
    fixture_done(&f);
}

/* Such as after a time in which the server was not there: somebody is quicker than the tick. */
Test(ledger_unattended, what_is_looked_at_or_leaves_too_late_was_overdue_all_the_same)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 4, 4);
    for (uint64_t seq = 1; seq <= 4; seq++)
        die(&f, seq, "A");
    look_at_letter(&f, "t/4");
    fixture_at(&f, 6 * MINUTE);
    look_at_letter(&f, "t/1");
    cr_assert_eq(counts(&f)->slo_breaches, 1);
    redrive_ids(&f, "t", "default", "t/2 t/4");
    cr_assert_eq(counts(&f)->slo_breaches, 2, "one of them was looked at in time");
    tick_until_quiet(&f);
    cr_assert_eq(counts(&f)->slo_breaches, 3);
    fixture_done(&f);
}

Test(ledger_unattended, another_slo_holds_for_letters_that_wait)
{
    struct fixture f;
    fixture_init_held(&f, settings(POLICY_dlq_slo_ms, 0ll, -1), 4, 4);
    die(&f, 1, "A");
    die(&f, 2, "A");
    tick_until_quiet(&f);
    cr_assert_eq(group_queue_first(f.l, QUEUE_TRIAGE), NEVER, "there is none");
    fixture_at(&f, 10 * MINUTE);
    die(&f, 3, "A");
    group_update(&f, "t", "default", settings(POLICY_dlq_slo_ms, 5ll * MINUTE, -1));
    tick_until_quiet(&f);
    cr_assert_eq(counts(&f)->slo_breaches, 2);
    topic_update(&f, "t", settings(POLICY_dlq_slo_ms, 1ll, -1));
    tick_until_quiet(&f);
    cr_assert_eq(counts(&f)->slo_breaches, 2, "the group has its own");
    group_update(&f, "t", "default", settings(POLICY_dlq_slo_ms, 1ll * MINUTE, -1));
    fixture_at(&f, 11 * MINUTE);
    tick_until_quiet(&f);
    cr_assert_eq(counts(&f)->slo_breaches, 3, "a shorter one");
    group_update(&f, "t", "default", settings(POLICY_dlq_slo_ms, 60ll * MINUTE, -1));
    die(&f, 4, "A");
    fixture_at(&f, 70 * MINUTE);
    tick_until_quiet(&f);
    cr_assert_eq(counts(&f)->slo_breaches, 3, "a longer one; those that were counted are not counted again");
    fixture_at(&f, 71 * MINUTE);
    tick_until_quiet(&f);
    cr_assert_eq(counts(&f)->slo_breaches, 4);
    fixture_done(&f);
}

Test(ledger_unattended, more_are_overdue_at_once_than_a_tick_counts)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 5000, 0);
    f.careless = f.quiet = true;
    for (uint64_t seq = 1; seq <= 5000; seq++) {
        if (seq % 500 == 1)
            assign(&f, "t", "default", 500);
        fail(&f, "t", "default", seq, ATTEMPT_REJECTED);
    }
    tick(&f, 6 * MINUTE);
    cr_assert(counts(&f)->slo_breaches > 0 && counts(&f)->slo_breaches < 5000);
    fixture_reload(&f);
    tick_until_quiet(&f);
    cr_assert_eq(counts(&f)->slo_breaches, 5000);
    f.careless = false;
    fixture_done(&f);
}

/* ---- shown ---- */

Test(ledger_unattended, times_are_shown_by_the_clock_as_it_was_put_right)
{
    struct fixture f;
    struct group_numbers n;
    struct groups_cursor cursor = {0};
    fixture_init_held(&f, settings(POLICY_dlq_retention_ms, 60ll * MINUTE, -1), 1, 1);
    fixture_at(&f, 10 * MINUTE);
    clock_set(&f, T0 + 4 * MINUTE); /* it was 6 minutes ahead */
    fixture_at(&f, 11 * MINUTE);
    die(&f, 1, "A");
    struct view v = {.ledger = f.l};
    cr_assert_eq(store_begin(f.store, false, &v.txn), 0);
    cr_assert(view_next_group(&v, &cursor, &n));
    store_abort(v.txn);
    cr_assert_eq(n.oldest_unattended_ms, T0 + 5 * MINUTE);
    cr_assert_eq(n.next_expiry_ms, T0 + 65 * MINUTE);
    cr_assert(n.dlq_slo_ms == 5 * MINUTE && n.counts->unattended == 1);
    cr_assert(n.causes[CAUSE_NEW] == 1 && n.causes[CAUSE_SEEN] == 0);
    fixture_done(&f);
}

/* ---- rows of an older server ---- */

Test(ledger_unattended, letters_of_an_older_server_are_counted_at_the_start)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 4, 4);
    for (uint64_t seq = 1; seq <= 4; seq++)
        die(&f, seq, seq == 4 ? "B" : "A");
    look_at_letter(&f, "t/1");
    look_at_cause(&f, "B");
    struct group *g = the_group(&f);
    g->r.unattended_old = true;
    g->r.counts.unattended = 0;
    for (size_t i = 0; i < g->causes_count; i++)
        g->causes[i]->r.unattended = 0;
    cr_assert_eq(store_begin(f.store, false, &f.l->txn), 0);
    cr_assert_eq(unattended_count_old(f.l), 0);
    store_abort(f.l->txn);
    cr_assert_eq(g->r.counts.unattended, 2);
    fixture_done(&f); /* its audit counts those of each cause */
}
