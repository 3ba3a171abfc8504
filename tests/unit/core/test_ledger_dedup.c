/* Exactly once in effect: what is remembered of a producer, and for how long. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define P1 "producer-0000001"
#define P2 "producer-0000002"

Test(ledger_dedup, a_resend_gets_the_first_answer)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_max_messages, 3, -1));
    publish_as(&f, "t", P1, 1, 0, 2, 0);
    publish_as(&f, "t", P1, 2, 0, 2, 0);
    publish_as(&f, "t", P2, 1, 0, 1, 0);
    fixture_forget(&f);
    fixture_reload(&f);
    topic_update(&f, "t", settings(POLICY_max_messages, 100, -1));
    for (int i = 0; i < 2; i++) {
        publish_as(&f, "t", P1, 1, 0, 2, 0);
        cr_assert(!f.changed);
        publish_as(&f, "t", P1, 2, 0, 2, 0);
        publish_as(&f, "t", P1, 2, 0, 2, SHUNT_NO_SPACE); /* answered before: so it is now */
    }
    fixture_expect(&f, "     0 ok\n"
                       "     0 published 1+2\n"
                       "     0 published 3+1 then TOPIC_FULL\n"
                       "     0 published 3+1 then TOPIC_FULL\n"
                       "     0 published 1+2\n"
                       "     0 published 3+1 then TOPIC_FULL\n"
                       "     0 published 3+1 then TOPIC_FULL\n");
    cr_assert_eq(stored_in(&f, "t"), 3);
    publish_as(&f, "t", P2, 1, 0, 1, 0);
    cr_assert_eq(f.first_seq, 4, "a refused frame is tried anew");
    fixture_done(&f);
}

Test(ledger_dedup, a_refusal_from_outside_stores_nothing)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_as(&f, "t", P1, 1, 0, 1, SHUNT_NO_SPACE);
    cr_assert(f.err == SHUNT_NO_SPACE && !f.changed);
    publish_as(&f, "none", P1, 1, 0, 1, SHUNT_NO_SPACE);
    cr_assert_eq(f.err, SHUNT_UNKNOWN_TOPIC);
    publish_as(&f, "t", P1, 1, 0, 1, 0);
    cr_assert_eq(f.first_seq, 1);
    fixture_done(&f);
}

Test(ledger_dedup, what_is_forgotten_is_out_of_the_window)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    for (uint64_t sequence = 1; sequence <= 5; sequence++)
        publish_as(&f, "t", P1, sequence, sequence == 5 ? 4 : 0, 1, 0);
    publish_as(&f, "t", P1, 4, 0, 1, 0);
    cr_assert(f.err == 0 && f.first_seq == 4);
    publish_as(&f, "t", P1, 3, 0, 1, 0);
    cr_assert(f.err == SHUNT_DEDUP_WINDOW && !f.changed);
    publish_as(&f, "t", P1, 0, 0, 1, 0);
    cr_assert_eq(f.first_seq, 6, "0 is without protection");
    publish_as(&f, "t", "", 4, 0, 1, 0);
    cr_assert_eq(f.first_seq, 7, "and so is no producer");
    fixture_done(&f);
}

Test(ledger_dedup, answers_to_the_latest_frames_are_kept)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    f.careless = f.quiet = true;
    for (uint64_t sequence = 1; sequence <= DEDUP_FRAMES_MAX + 2; sequence++)
        publish_as(&f, "t", P1, sequence, 0, 1, 0);
    publish_as(&f, "t", P1, 2, 0, 1, 0);
    cr_assert_eq(f.err, SHUNT_DEDUP_WINDOW);
    for (uint64_t sequence = 3; sequence <= DEDUP_FRAMES_MAX + 2; sequence++) {
        publish_as(&f, "t", P1, sequence, 0, 1, 0);
        cr_assert(f.err == 0 && f.first_seq == sequence && !f.changed);
    }
    cr_assert_eq(rows_in(&f, TABLE_DEDUP), 1 + DEDUP_FRAMES_MAX / DEDUP_CHUNK_FRAMES);
    fixture_done(&f);
}

Test(ledger_dedup, one_frame_at_a_time_keeps_one_small_row)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    f.careless = f.quiet = true;
    for (uint64_t sequence = 1; sequence <= 100; sequence++) {
        publish_as(&f, "t", P1, sequence, sequence, 1, 0);
        cr_assert_eq(rows_in(&f, TABLE_DEDUP), 1);
    }
    struct store_txn *txn;
    struct slice value;
    cr_assert_eq(store_begin(f.store, false, &txn), 0);
    cr_assert_eq(store_get(txn, TABLE_DEDUP, text(P1), &value), 0);
    cr_assert_eq(value.size, 8 + 8 + 4 + 24 + 8);
    store_abort(txn);
    fixture_done(&f);
}

Test(ledger_dedup, rows_go_with_what_the_client_forgets)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    f.careless = f.quiet = true;
    for (uint64_t sequence = 1; sequence <= 1000; sequence++) {
        publish_as(&f, "t", P1, sequence, sequence > 100 ? sequence - 100 : 0, 1, 0);
        cr_assert_leq(rows_in(&f, TABLE_DEDUP), 1 + 100 / DEDUP_CHUNK_FRAMES + 1);
    }
    publish_as(&f, "t", P1, 899, 0, 1, 0);
    cr_assert_eq(f.err, SHUNT_DEDUP_WINDOW);
    publish_as(&f, "t", P1, 900, 0, 1, 0);
    cr_assert_eq(f.first_seq, 900);
    fixture_done(&f);
}

Test(ledger_dedup, numbers_that_jump_leave_nothing_behind)
{
    static const uint64_t far = 1000000000000;
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    f.careless = f.quiet = true;
    for (uint64_t sequence = 1; sequence <= 200; sequence++)
        publish_as(&f, "t", P1, sequence, 0, 1, 0);
    publish_as(&f, "t", P1, far, 0, 1, 0);
    cr_assert(f.err == 0 && rows_in(&f, TABLE_DEDUP) == 1);
    publish_as(&f, "t", P1, far - DEDUP_FRAMES_MAX, 0, 1, 0);
    cr_assert_eq(f.err, SHUNT_DEDUP_WINDOW);
    publish_as(&f, "t", P1, far - DEDUP_FRAMES_MAX + 1, 0, 1, 0);
    cr_assert(f.err == 0 && f.changed);
    publish_as(&f, "t", P1, UINT64_MAX, UINT64_MAX, 1, 0);
    cr_assert(f.err == 0 && rows_in(&f, TABLE_DEDUP) == 1);
    publish_as(&f, "t", P1, UINT64_MAX, 0, 1, 0);
    cr_assert(f.err == 0 && !f.changed);
    fixture_done(&f);
}

Test(ledger_dedup, frames_out_of_order_are_told_apart)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    static const uint64_t order[] = {5, 2, 9, 1};
    for (int i = 0; i < 4; i++)
        publish_as(&f, "t", P1, order[i], 0, 1, 0);
    for (int i = 0; i < 4; i++) {
        publish_as(&f, "t", P1, order[i], 0, 1, 0);
        cr_assert_eq(f.first_seq, (uint64_t)i + 1);
    }
    publish_as(&f, "t", P1, 3, 0, 1, 0);
    cr_assert_eq(f.first_seq, 5);
    fixture_done(&f);
}

Test(ledger_dedup, silent_producers_are_forgotten_after_the_window)
{
    struct fixture f;
    fixture_init(&f);
    fixture_run(&f, (struct command){.kind = COMMAND_LIMITS, .limits = {100, 10, 1000, 100000, 0, 0}});
    topic_create(&f, "t", settings(-1));
    publish_as(&f, "t", P1, 1, 0, 1, 0);
    publish_as(&f, "t", P2, 1, 0, 1, 0);
    tick(&f, 60000);
    publish_as(&f, "t", P2, 2, 0, 1, 0);
    for (int64_t ms = 70000; ms <= 100000; ms += 1000)
        tick(&f, ms);
    publish_as(&f, "t", P1, 1, 0, 1, 0);
    cr_assert_eq(f.first_seq, 1, "within the window");
    for (int64_t ms = 101000; ms <= 120000; ms += 1000)
        tick(&f, ms);
    cr_assert_eq(rows_in(&f, TABLE_DEDUP), 1, "the other one has published since");
    publish_as(&f, "t", P2, 2, 0, 1, 0);
    cr_assert_eq(f.first_seq, 3);
    fixture_done(&f);
}

/* Seed 164 of the simulator: the clock jumped while the broker was down, and unanswered publishes that were
 * sent again were stored twice. A long outage does the same. */
Test(ledger_dedup, an_outage_longer_than_the_window_forgets_no_producer)
{
    struct fixture f;
    fixture_init(&f);
    fixture_run(&f, (struct command){.kind = COMMAND_LIMITS, .limits = {100, 10, 1000, 100000, 0, 0}});
    topic_create(&f, "t", settings(-1));
    publish_as(&f, "t", P1, 1, 0, 1, 0);
    fixture_crash(&f);
    fixture_at(&f, 5000000);
    fixture_run(&f, (struct command){.kind = COMMAND_RECOVER});
    for (int64_t ms = 5000000; ms <= 5100000; ms += 1000)
        tick(&f, ms);
    publish_as(&f, "t", P1, 1, 0, 1, 0);
    cr_assert_eq(f.first_seq, 1, "the first answer");
    for (int64_t ms = 5101000; ms <= 5110000; ms += 1000)
        tick(&f, ms);
    cr_assert_eq(rows_in(&f, TABLE_DEDUP), 0, "but not for ever");
    fixture_done(&f);
}

/* More producers than one sweep looks at. */
Test(ledger_dedup, the_sweep_gets_round)
{
    struct fixture f;
    char producer[32];
    fixture_init(&f);
    fixture_run(&f, (struct command){.kind = COMMAND_LIMITS, .limits = {100, 10, 1000, 1000, 0, 0}});
    topic_create(&f, "t", settings(-1));
    f.careless = f.quiet = true;
    for (unsigned i = 0; i < 1500; i++) {
        snprintf(producer, sizeof producer, "producer-%07u", i);
        publish_as(&f, "t", producer, 1, 0, 1, 0);
    }
    cr_assert_eq(rows_in(&f, TABLE_DEDUP), 1500);
    for (int64_t ms = 2000; ms <= 10000; ms += 1000) {
        fixture_at(&f, ms);
        tick_until_quiet(&f);
        if (ms == 5000)
            fixture_reload(&f);
    }
    cr_assert_eq(rows_in(&f, TABLE_DEDUP), 0);
    fixture_done(&f);
}

/* A broker that is restarted more often than the window lasts forgets silent producers all the same, and none
 * before it had its window. */
Test(ledger_dedup, restarts_do_not_keep_producers_for_ever)
{
    struct fixture f;
    fixture_init(&f);
    fixture_run(&f, (struct command){.kind = COMMAND_LIMITS, .limits = {100, 10, 1000, 100000, 0, 0}});
    topic_create(&f, "t", settings(-1));
    publish_as(&f, "t", P1, 1, 0, 1, 0);
    for (int64_t life = 0; life < 6; life++) {
        int64_t begin_ms = life * 1000000;
        for (int64_t ms = begin_ms; ms <= begin_ms + 20000; ms += 1000) {
            tick(&f, ms);
            publish_as(&f, "t", P2, (uint64_t)(ms / 1000) + 1, UINT64_MAX, 1, 0);
        }
        cr_assert_eq(rows_in(&f, TABLE_DEDUP), life < 5 ? 2 : 1, "life %d", (int)life);
        fixture_crash(&f);
        fixture_at(&f, begin_ms + 1000000);
        fixture_run(&f, (struct command){.kind = COMMAND_RECOVER});
    }
    fixture_done(&f);
}

Test(ledger_dedup, a_sweep_forgets_producers_whole_and_a_bounded_number_of_rows_at_once)
{
    struct fixture f;
    char producer[32];
    enum { PRODUCERS = 40, FRAMES = 400, ROWS = FRAMES / DEDUP_CHUNK_FRAMES + 1 };
    fixture_init(&f);
    fixture_run(&f, (struct command){.kind = COMMAND_LIMITS, .limits = {100, 10, 1000, 1000, 0, 0}});
    topic_create(&f, "t", settings(-1));
    f.careless = f.quiet = true;
    for (unsigned i = 0; i < PRODUCERS; i++) {
        snprintf(producer, sizeof producer, "producer-%07u", i);
        for (uint64_t sequence = 1; sequence <= FRAMES; sequence++)
            publish_as(&f, "t", producer, sequence, 0, 1, 0);
    }
    uint64_t left = rows_in(&f, TABLE_DEDUP);
    cr_assert_eq(left, PRODUCERS * ROWS);
    fixture_at(&f, 5000);
    while (left > 0) {
        fixture_run(&f, (struct command){.kind = COMMAND_TICK});
        uint64_t now = rows_in(&f, TABLE_DEDUP);
        cr_assert(now < left && left - now < 256 + ROWS && now % ROWS == 0, "%u rows, then %u",
                  (unsigned)left, (unsigned)now);
        left = now;
    }
    fixture_done(&f);
}

/* ---- whatever comes, compared with the plainest memory there is ---- */

#define NUMBERS 20000

struct memory {
    uint64_t first_seq[NUMBERS]; /* 0: never answered */
    uint64_t base;
};

static uint32_t roll(uint64_t *state, uint32_t sides)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*state >> 33) % sides);
}

static void ask(struct fixture *f, struct memory *m, uint64_t sequence, uint64_t forget_below)
{
    publish_as(f, "t", P1, sequence, forget_below, 1, 0);
    if (sequence < m->base) {
        cr_assert(f->err == SHUNT_DEDUP_WINDOW && !f->changed, "%u of %u", (unsigned)sequence,
                  (unsigned)m->base);
        return;
    }
    cr_assert_eq(f->err, 0);
    if (m->first_seq[sequence]) {
        cr_assert(f->first_seq == m->first_seq[sequence] && !f->changed, "%u", (unsigned)sequence);
        return;
    }
    cr_assert(f->changed, "%u", (unsigned)sequence);
    m->first_seq[sequence] = f->first_seq;
    uint64_t base = forget_below < sequence ? forget_below : sequence;
    if (sequence + 1 > DEDUP_FRAMES_MAX && sequence + 1 - DEDUP_FRAMES_MAX > base)
        base = sequence + 1 - DEDUP_FRAMES_MAX;
    m->base = base > m->base ? base : m->base;
}

/* Numbers in order, late, twice and with gaps, within a distance that is mostly small; now and then the
 * client forgets, and the broker restarts. */
Test(ledger_dedup, no_number_is_stored_twice_and_none_is_lost)
{
    static struct memory m;
    struct fixture f;
    uint64_t state = 1, next = 1;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    f.careless = f.quiet = true;
    while (next < NUMBERS - 100) {
        uint32_t distance = roll(&state, 10) ? 50 : roll(&state, 10) ? 400 : DEDUP_FRAMES_MAX + 100;
        uint64_t sequence =
            next + 1 > distance ? next - roll(&state, distance) : 1 + roll(&state, (uint32_t)next);
        if (roll(&state, 2))
            sequence = next += 1 + (roll(&state, 8) == 0) * roll(&state, 40);
        uint64_t forget = roll(&state, 20) == 0 && next > 300 ? next - roll(&state, 300) : 0;
        ask(&f, &m, sequence, forget);
        if (roll(&state, 1000) == 0)
            fixture_reload(&f);
        if (roll(&state, 3000) == 0) /* the numbers leave what is kept behind */
            next += 2 * DEDUP_FRAMES_MAX / 3;
    }
    cr_assert_leq(rows_in(&f, TABLE_DEDUP), DEDUP_FRAMES_MAX / DEDUP_CHUNK_FRAMES + 1);
    fixture_done(&f);
}
