/* A frame that is published in several commands: its numbers follow each other, and sent again it goes on
 * where it was. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>

#define P1 "producer-0000001"

/* `count` messages behind `stored`, the first of which has the number `first_seq`. */
static void part(struct fixture *f, uint64_t sequence, uint64_t first_seq, uint32_t stored, uint32_t count,
                 bool more)
{
    publish_part(f, (struct publish_command){.topic = text("t"),
                                             .producer = text(sequence ? P1 : ""),
                                             .sequence = sequence,
                                             .first_seq = first_seq,
                                             .stored = stored,
                                             .count = count,
                                             .more = more});
}

Test(ledger_parts, a_result_tells_how_far_the_frame_has_come)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 1);
    fixture_forget(&f);
    for (uint64_t sequence = 0; sequence < 2; sequence++) {
        uint64_t first = 2 + sequence * 6;
        part(&f, sequence, 0, 0, 3, true);
        part(&f, sequence, first, 3, 2, true);
        part(&f, sequence, first, 5, 1, false);
    }
    publish_as(&f, "t", P1, 1, 0, 6, 0); /* sent again */
    fixture_expect(&f, "     0 published 2+3\n"
                       "     0 published 2+5\n"
                       "     0 published 2+6\n"
                       "     0 published 8+3\n"
                       "     0 published 8+5\n"
                       "     0 published 8+6\n"
                       "     0 published 8+6\n");
    cr_assert_eq(stored_in(&f, "t"), 13);
    fixture_done(&f);
}

Test(ledger_parts, sent_again_a_frame_goes_on_where_it_was)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    part(&f, 1, 0, 0, 3, true);
    fixture_reload(&f);
    fixture_forget(&f);
    part(&f, 1, 0, 0, 2, true); /* other parts than before */
    cr_assert(!f.changed, "they are there");
    part(&f, 1, 1, 2, 4, true);
    part(&f, 1, 1, 6, 4, false);
    publish_as(&f, "t", P1, 1, 0, 10, 0);
    cr_assert(!f.changed);
    part(&f, 2, 0, 0, 4, true);
    publish_as(&f, "t", P1, 2, 0, 7, 0); /* in one command */
    fixture_expect(&f, "     0 published 1+2\n"
                       "     0 published 1+6\n"
                       "     0 published 1+10\n"
                       "     0 published 1+10\n"
                       "     0 published 11+4\n"
                       "     0 published 11+7\n");
    cr_assert_eq(stored_in(&f, "t"), 17);
    fixture_done(&f);
}

Test(ledger_parts, what_cannot_follow_is_refused_and_the_answer_stays)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    part(&f, 1, 0, 0, 3, true);
    publish(&f, "t", 1); /* somebody else's */
    fixture_forget(&f);
    part(&f, 1, 1, 3, 2, false);
    cr_assert(!f.changed, "as it was remembered");
    publish_as(&f, "t", P1, 1, 0, 5, 0);
    part(&f, 0, 1, 3, 2, false);
    topic_update(&f, "t", settings(POLICY_max_messages, 6, -1));
    part(&f, 2, 0, 0, 1, true);
    part(&f, 2, 5, 1, 3, true); /* room for one */
    topic_update(&f, "t", settings(POLICY_max_messages, 0, -1));
    publish_as(&f, "t", P1, 2, 0, 7, 0);
    topic_delete(&f, "t");
    part(&f, 3, 1, 3, 2, false);
    fixture_expect(&f, "     0 published 1+3 then UNAVAILABLE\n"
                       "     0 published 1+3 then UNAVAILABLE\n"
                       "     0 published 1+3 then UNAVAILABLE\n"
                       "     0 ok\n"
                       "     0 published 5+1\n"
                       "     0 published 5+2 then TOPIC_FULL\n"
                       "     0 ok\n"
                       "     0 published 5+2 then TOPIC_FULL\n"
                       "     0 dlq:t:default/default gone UNKNOWN_TOPIC\n"
                       "     0 t/default gone UNKNOWN_TOPIC\n"
                       "     0 job 1 of 6\n"
                       "     0 published 1+3 then UNKNOWN_TOPIC\n");
    fixture_done(&f);
}
