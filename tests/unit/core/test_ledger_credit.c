/* test_ledger_credit: what bounds a hand-out. */
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>

Test(ledger_credit, bytes_bound_a_hand_out_and_one_message_may_be_larger)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 4); /* of 4 bytes each */
    struct assign_command c = {
        .group = ledger_group_id(fixture_group(&f, "t", "default")), .messages = 10, .bytes = 9};
    fixture_run(&f, (struct command){.kind = COMMAND_ASSIGN, .assign = c});
    cr_assert_eq(f.handed, 2);
    c.bytes = 3;
    fixture_run(&f, (struct command){.kind = COMMAND_ASSIGN, .assign = c});
    cr_assert(f.handed == 0 && !f.changed);
    c.oversize_first = true;
    fixture_run(&f, (struct command){.kind = COMMAND_ASSIGN, .assign = c});
    cr_assert_eq(f.handed, 1);
    fail(&f, "t", "default", 1, ATTEMPT_RELEASED);
    c.bytes = 100;
    c.enough_bytes = 5; /* the second message reaches it */
    fail(&f, "t", "default", 2, ATTEMPT_RELEASED);
    fixture_run(&f, (struct command){.kind = COMMAND_ASSIGN, .assign = c});
    cr_assert_eq(f.handed, 2);
    fail(&f, "t", "default", 1, ATTEMPT_RELEASED);
    c.oversize_first = false;
    c.bytes = 3;
    fixture_run(&f, (struct command){.kind = COMMAND_ASSIGN, .assign = c});
    cr_assert(f.handed == 0 && !f.changed, "what waits in front is bounded in the same way");
    fixture_done(&f);
}
