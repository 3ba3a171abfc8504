/* test_gate_looks: what one may not look at is in no listing; and refusals are noted, but not without a bound. */
#include "broker/engine/refusals.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "tests/unit/engine/gate_world.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define R(NAME) RIGHT(NAME)

/* ---- listings ---- */

Test(gate, listings_and_statistics_show_what_may_be_looked_at)
{
    static const char *const topics[] = {"a.1", "a.2", "b.1", "b.2", "c"};
    struct world w;
    gate_start(&w);
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        cr_assert_eq(gate_request(&w, 0, OP_TOPIC_CREATE, topics[i], NULL).op, OP_OK);
    publish(&w, w.links[0], 3, 1);
    cr_assert_eq(gate_request(&w, 0, OP_TOPIC_PURGE, "t", NULL).op, OP_OK);
    gate_die_one(&w);

    gate_grant_one(&w, "u", "b.*", R(LOOK));
    gate_login(&w, 1, "u");
    struct heard heard = gate_request(&w, 1, OP_TOPIC_LIST, NULL, NULL);
    cr_assert_eq(gate_rows(&heard), 2);
    heard = gate_request(&w, 1, OP_OVERVIEW, NULL, NULL);
    cr_assert_eq(gate_rows(&heard), 2);
    heard = gate_request(&w, 1, OP_JOB_LIST, NULL, NULL);
    cr_assert_eq(gate_rows(&heard), 0);
    heard = gate_request(&w, 1, OP_AUDIT_LIST, NULL, NULL);
    cr_assert_eq(gate_rows(&heard), 2, "the making of both");
    heard = gate_request(&w, 1, OP_STATS, NULL, NULL);
    cr_assert_eq(gate_number(&heard, "topics"), 2);
    cr_assert_eq(gate_number(&heard, "groups"), 2);
    cr_assert_eq(gate_number(&heard, "published"), 0);
    cr_assert_eq(gate_number(&heard, "dead"), 0);

    gate_grant_one(&w, "u", "t", R(LOOK));
    heard = gate_request(&w, 1, OP_STATS, NULL, NULL);
    cr_assert_eq(gate_number(&heard, "published"), 4);
    cr_assert_eq(gate_number(&heard, "dead"), 0, "that needs dlq-look");
    heard = gate_request(&w, 1, OP_JOB_LIST, NULL, NULL);
    cr_assert_eq(gate_rows(&heard), 1);

    gate_grant_one(&w, "u", "t", R(DLQ_LOOK));
    heard = gate_request(&w, 1, OP_STATS, NULL, NULL);
    cr_assert_eq(gate_number(&heard, "published"), 0);
    cr_assert_eq(gate_number(&heard, "dead"), 1);
    heard = gate_request(&w, 1, OP_TOPIC_LIST, NULL, NULL);
    cr_assert_eq(gate_rows(&heard), 0);
    heard = gate_request(&w, 1, OP_OVERVIEW, NULL, NULL);
    cr_assert_eq(gate_rows(&heard), 1, "its dead letters may be seen");
    cr_assert(memmem(heard.body.data, heard.body.size, "oldest_dead", 11));
    cr_assert(!memmem(heard.body.data, heard.body.size, "published", 9), "that needs look");

    gate_grant_one(&w, "u", "*", R(LOOK) | R(DLQ_LOOK));
    heard = gate_request(&w, 1, OP_TOPIC_LIST, NULL, NULL);
    cr_assert_eq(gate_rows(&heard), 6);
    world_stop(&w);
}

static struct heard list_topics(struct world *w, const char *after, uint32_t limit)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, OP_TOPIC_LIST, 77, 2);
    mpack_write_cstr(&frame, after);
    mpack_write_uint(&frame, limit);
    frame_end(&frame, at);
    return gate_send(w, 1, &frame);
}

Test(gate, a_page_that_passes_over_hidden_topics_says_whether_more_follow)
{
    struct world w;
    char name[16];
    gate_start(&w);
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "%c%02u", i % 2 ? 'x' : 'y', i);
        cr_assert_eq(gate_request(&w, 0, OP_TOPIC_CREATE, name, NULL).op, OP_OK);
    }
    gate_grant_one(&w, "u", "x*", R(LOOK));
    gate_login(&w, 1, "u");
    struct heard heard = list_topics(&w, "", 10);
    struct mpack_reader r;
    cr_assert_eq(gate_rows(&heard), 10);
    mpack_read_init(&r, heard.body.data, heard.body.size);
    (void)mpack_read_any(&r);
    cr_assert_not(mpack_read_bool(&r), "nothing that may be seen follows");
    heard = list_topics(&w, "", 9);
    mpack_read_init(&r, heard.body.data, heard.body.size);
    (void)mpack_read_any(&r);
    cr_assert(mpack_read_bool(&r));
    world_stop(&w);
}

/* ---- refusals are noted ---- */

static struct heard refused_acts(struct world *w)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, OP_AUDIT_LIST, 77, 3);
    mpack_write_uint(&frame, 0);
    mpack_write_uint(&frame, 100);
    mpack_write_map(&frame, 1);
    mpack_write_cstr(&frame, "act");
    mpack_write_cstr(&frame, "request_refused");
    frame_end(&frame, at);
    return gate_send(w, 0, &frame);
}

Test(gate, refusals_are_counted_and_in_the_audit_log_once_in_a_second_with_how_many)
{
    struct world w;
    gate_start(&w);
    gate_grant_one(&w, "u", "t", R(LOOK));
    gate_login(&w, 1, "u");
    for (int i = 0; i < 5; i++)
        cr_assert_eq(gate_request(&w, 1, OP_DLQ_LIST, "t", "default").code, SHUNT_FORBIDDEN);
    cr_assert_eq(gate_request(&w, 1, OP_GROUP_PAUSE, "t", "default").code, SHUNT_FORBIDDEN);
    cr_assert_eq(w.engine->refusals.count[RIGHT_DLQ_LOOK], 5);
    cr_assert_eq(w.engine->refusals.count[RIGHT_ADMIN], 1);
    struct heard rows = refused_acts(&w);
    cr_assert_eq(gate_rows(&rows), 2, "the first of each right");
    cr_assert_str_eq(gate_in_row(&rows, 0, "act"), "request_refused");
    cr_assert_str_eq(gate_in_row(&rows, 0, "user"), "u");
    cr_assert_str_eq(gate_in_row(&rows, 0, "topic"), "t");
    cr_assert_str_eq(gate_in_row(&rows, 0, "count"), "1");
    cr_assert_str_eq(gate_in_row(&rows, 0, "asked"), "DLQ_LIST needs dlq-look: limit=100");
    cr_assert_str_eq(gate_in_row(&rows, 1, "asked"), "GROUP_PAUSE needs admin");
    w.now_ms += REFUSALS_TOLD_MS;
    world_turn(&w); /* without anything that comes in */
    rows = refused_acts(&w);
    cr_assert_eq(gate_rows(&rows), 3);
    cr_assert_str_eq(gate_in_row(&rows, 2, "count"), "4");
    cr_assert_str_eq(gate_in_row(&rows, 2, "asked"), "DLQ_LIST needs dlq-look");
    w.now_ms += 10 * REFUSALS_TOLD_MS;
    world_turn(&w);
    rows = refused_acts(&w);
    cr_assert_eq(gate_rows(&rows), 3, "what was told is not told again");
    world_stop(&w);
}

Test(gate, the_audit_log_names_the_user_who_did_it)
{
    struct world w;
    gate_start(&w);
    gate_grant_one(&w, "u", "t", R(ADMIN));
    gate_login(&w, 1, "u");
    cr_assert_eq(gate_request(&w, 1, OP_GROUP_PAUSE, "t", "default").op, OP_OK);
    struct heard rows = gate_request(&w, 0, OP_AUDIT_LIST, NULL, NULL);
    uint64_t last = gate_rows(&rows) - 1;
    cr_assert_str_eq(gate_in_row(&rows, (uint32_t)last, "act"), "group_paused");
    cr_assert_str_eq(gate_in_row(&rows, (uint32_t)last, "user"), "u");
    cr_assert_str_eq(gate_in_row(&rows, 0, "user"), "", "nobody had to log in for that");
    world_stop(&w);
}

Test(gate, more_users_than_are_kept_in_a_second_are_counted_all_the_same)
{
    struct world w;
    char name[16];
    gate_start(&w);
    for (unsigned i = 0; i < REFUSALS_MAX + 5; i++) {
        (void)snprintf(name, sizeof name, "u%u", i);
        gate_grant_one(&w, name, "other", R(LOOK));
    }
    uint64_t before_ms = (uint64_t)w.now_ms;
    for (unsigned i = 0; i < REFUSALS_MAX + 5; i++) {
        struct mpack_buffer frame = {0};
        (void)snprintf(name, sizeof name, "u%u", i);
        gate_login(&w, 1, name);
        size_t at = frame_begin(&frame, OP_TOPIC_SHOW, 77, 1);
        mpack_write_cstr(&frame, "t");
        frame_end(&frame, at);
        post_frame(&w, w.links[1], &frame, NULL);
        world_turn(&w);
    }
    cr_assert_lt((uint64_t)w.now_ms - before_ms, REFUSALS_TOLD_MS);
    cr_assert_eq(w.engine->refusals.count[RIGHT_LOOK], REFUSALS_MAX + 5);
    struct heard rows = refused_acts(&w);
    cr_assert_eq(gate_rows(&rows), REFUSALS_MAX);
    world_stop(&w);
}
