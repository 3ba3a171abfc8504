/* What is given back uncharged: at once and in front, or after the delay that was asked for. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>

Test(ledger_release, released_messages_go_in_front_in_order)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 5, 3);
    fail(&f, "t", "default", 3, ATTEMPT_RELEASED);
    fail(&f, "t", "default", 1, ATTEMPT_RELEASED);
    fixture_forget(&f);
    assign(&f, "t", "default", 3);
    fixture_expect(&f, "     0 t/default hand 1 token 2 attempts 0 deliveries 2 generation 0\n"
                       "     0 t/default hand 3 token 2 attempts 0 deliveries 2 generation 0\n"
                       "     0 t/default hand 4 token 1 attempts 0 deliveries 1 generation 0\n");
    fixture_done(&f);
}

Test(ledger_release, released_with_a_delay_it_waits_uncharged)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 2, 1);
    fixture_at(&f, 50);
    resolve(&f, "t", "default",
            (struct resolution){.seq = 1, .token = 1, .outcome = ATTEMPT_RELEASED, .delay_ms = 200});
    expect_state(&f, "t", "default", 1, "delayed");
    fixture_forget(&f);
    assign(&f, "t", "default", 5);
    fixture_at(&f, 250);
    tick(&f, 250);
    assign(&f, "t", "default", 5);
    fixture_expect(&f, "    50 t/default hand 2 token 1 attempts 0 deliveries 1 generation 0\n"
                       "   250 t/default hand 1 token 2 attempts 0 deliveries 2 generation 0\n");
    fixture_done(&f);
}
