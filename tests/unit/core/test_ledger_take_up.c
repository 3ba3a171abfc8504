/* Taking up again what a consumer held on an earlier connection. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>

Test(ledger_take_up, what_a_restart_gave_back_is_its_consumers_again_under_a_new_token)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 3, 2);
    fixture_crash(&f);
    recover(&f);
    fixture_forget(&f);
    take_up(&f, "t", "default", 2, 1);
    show(&f, "t", "default", 2);
    show_counts(&f, "t", "default");
    resolve(&f, "t", "default", (struct resolution){.seq = 2, .token = 1, .acked = true});
    assign(&f, "t", "default", 5);
    resolve(&f, "t", "default", (struct resolution){.seq = 2, .token = 2, .acked = true});
    show_counts(&f, "t", "default");
    fixture_expect(&f, "     0 t/default takes up 2 token 2 attempts 0 deliveries 2 generation 0\n"
                       "     0 t/default 2 in_flight attempts 0/0 deliveries 2/2 generation 0 rows 1\n"
                       "     0 t/default: published 3 ready 2 in_flight 1\n"
                       "     0 entry 0 STALE\n"
                       "     0 t/default hand 1 token 2 attempts 0 deliveries 2 generation 0\n"
                       "     0 t/default hand 3 token 1 attempts 0 deliveries 1 generation 0\n"
                       "     0 t/default: published 3 in_flight 2 acked 1\n");
    fixture_done(&f);
}

/* Nothing happens. */
static void expect_refused(struct fixture *f, uint64_t seq, uint64_t token)
{
    const char *was = state_of(f, "t", "default", seq);
    fixture_forget(f);
    take_up(f, "t", "default", seq, token);
    fixture_expect(f, "");
    expect_state(f, "t", "default", seq, was);
}

Test(ledger_take_up, not_what_is_held_or_went_to_somebody_else_or_never_was_handed_out)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 3, 1);
    expect_refused(&f, 1, 1); /* its holder has it */
    expect_refused(&f, 3, 0);
    expect_refused(&f, 99, 1);
    fixture_crash(&f);
    recover(&f);
    expect_refused(&f, 1, 2);
    expect_refused(&f, 1, 0);
    assign(&f, "t", "default", 1); /* to another */
    expect_refused(&f, 1, 1);
    fail(&f, "t", "default", 1, ATTEMPT_RELEASED);
    expect_refused(&f, 1, 1); /* and that one gave it back */
    ack(&f, "t", "default", 1);
    fixture_done(&f);
}

Test(ledger_take_up, not_what_is_done_dead_redriven_or_past_its_time)
{
    struct fixture f;
    fixture_init_held(&f, settings(POLICY_max_attempts, 1, -1), 2, 2);
    ack(&f, "t", "default", 1);
    expect_refused(&f, 1, 1);
    nack(&f, "t", "default", 2, 0);
    expect_state(&f, "t", "default", 2, "dead");
    expect_refused(&f, 2, 1);
    redrive(&f, "t", "default", 1, 0);
    expect_state(&f, "t", "default", 2, "ready");
    expect_refused(&f, 2, 1); /* another life, and nobody has held it in this one */
    publish_timed(&f, "t", 0, 50);
    assign(&f, "t", "default", 5);
    fixture_crash(&f);
    recover(&f);
    fixture_at(&f, 50);
    expect_refused(&f, 3, 1);
    fixture_done(&f);
}

Test(ledger_take_up, not_a_suspect_which_goes_alone)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 2, 2);
    fail(&f, "t", "default", 1, ATTEMPT_SUSPECTED);
    expect_refused(&f, 1, 1);
    fail(&f, "t", "default", 2, ATTEMPT_DISCONNECTED);
    expect_refused(&f, 2, 1);
    fixture_done(&f);
}

/* Nobody else gets it for a while; then anybody does. */
Test(ledger_take_up, what_was_in_flight_waits_for_who_held_it_and_then_for_nobody)
{
    struct fixture f;
    fixture_init_held(&f, settings(POLICY_lease_ms, 30000, -1), 4, 3);
    fixture_crash(&f);
    recover_waiting(&f, 5000);
    fixture_forget(&f);
    assign(&f, "t", "default", 9);
    take_up(&f, "t", "default", 2, 1);
    show_counts(&f, "t", "default");
    tick(&f, 4999);
    assign(&f, "t", "default", 9);
    tick(&f, 5000);
    assign(&f, "t", "default", 9);
    take_up(&f, "t", "default", 1, 1); /* too late: somebody has it */
    fixture_expect(&f, "     0 t/default hand 4 token 1 attempts 0 deliveries 1 generation 0\n"
                       "     0 t/default takes up 2 token 2 attempts 0 deliveries 2 generation 0\n"
                       "     0 t/default: published 4 in_flight 2 delayed 2\n"
                       "  5000 t/default hand 1 token 2 attempts 0 deliveries 2 generation 0\n"
                       "  5000 t/default hand 3 token 2 attempts 0 deliveries 2 generation 0\n");
    fixture_done(&f);
}

/* Its consumer would have lost it by then if there had been no restart. */
Test(ledger_take_up, nothing_waits_for_longer_than_a_lease)
{
    struct fixture f;
    fixture_init_held(&f, settings(POLICY_lease_ms, 200, -1), 1, 1);
    fixture_crash(&f);
    recover_waiting(&f, 5000);
    tick(&f, 199);
    expect_state(&f, "t", "default", 1, "delayed");
    tick(&f, 200);
    expect_state(&f, "t", "default", 1, "ready");
    fixture_done(&f);
}

/* The second start finds what was taken up in flight, and what was not still waiting. */
Test(ledger_take_up, a_second_restart_waits_anew_for_what_was_taken_up)
{
    struct fixture f;
    fixture_init_held(&f, settings(POLICY_lease_ms, 30000, -1), 2, 2);
    fixture_crash(&f);
    recover_waiting(&f, 5000);
    take_up(&f, "t", "default", 1, 1);
    fixture_at(&f, 3000);
    fixture_crash(&f);
    recover_waiting(&f, 5000);
    tick(&f, 5000);
    expect_state(&f, "t", "default", 2, "ready");
    expect_state(&f, "t", "default", 1, "delayed");
    take_up(&f, "t", "default", 1, 2);
    expect_state(&f, "t", "default", 1, "in_flight");
    fixture_done(&f);
}

/* It was handed out in time: that its time passes while its consumer is away must not end it. */
Test(ledger_take_up, no_time_to_live_passes_while_it_waits_for_its_consumer)
{
    struct fixture f;
    fixture_init_held(&f, settings(POLICY_lease_ms, 30000, -1), 1, 1);
    publish_timed(&f, "t", 0, 50);
    publish_timed(&f, "t", 0, 50);
    assign(&f, "t", "default", 5);
    fixture_at(&f, 40);
    fixture_crash(&f);
    recover_waiting(&f, 1000);
    tick(&f, 60);
    expect_state(&f, "t", "default", 2, "delayed");
    take_up(&f, "t", "default", 2, 1);
    expect_state(&f, "t", "default", 2, "in_flight");
    ack(&f, "t", "default", 2);
    tick(&f, 1040);
    expect_state(&f, "t", "default", 3, "dead"); /* nobody came for it */
    fixture_done(&f);
}

/* The charge stays; the handler that was too slow may still end it well. */
Test(ledger_take_up, what_waits_after_its_lease_ran_out_is_taken_up_with_its_charge)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 1, 1);
    fail(&f, "t", "default", 1, ATTEMPT_LEASE_EXPIRED);
    expect_state(&f, "t", "default", 1, "delayed");
    take_up(&f, "t", "default", 1, 1);
    show_counts(&f, "t", "default");
    cr_assert_eq(row_of(&f, "t", "default", 1).attempts, 1);
    ack(&f, "t", "default", 1);
    expect_state(&f, "t", "default", 1, "gone");
    fixture_done(&f);
}

Test(ledger_take_up, not_what_was_damaged_meanwhile)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 1, 1);
    fixture_crash(&f);
    recover(&f);
    flip_message_byte(&f, "t", 1, 3);
    take_up(&f, "t", "default", 1, 1);
    expect_state(&f, "t", "default", 1, "dead");
    fixture_done(&f);
}

Test(ledger_take_up, not_in_a_group_that_is_gone)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 1, 1);
    uint32_t id = fixture_group(&f, "t", "default")->r.id;
    const struct delivery_name name = {1, 1};
    topic_delete(&f, "t");
    fixture_forget(&f);
    fixture_run(&f, (struct command){.kind = COMMAND_TAKE_UP, .take_up = {id, &name, 1}});
    fixture_expect(&f, "");
    fixture_done(&f);
}
