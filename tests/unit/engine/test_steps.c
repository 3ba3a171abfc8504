/* test_steps: requests become steps, which are run in their order; commands in a row are one batch. */
#include "broker/engine/acts.h"
#include "broker/engine/request.h"
#include "broker/engine/state.h"
#include "proto/frame.h"
#include "tests/unit/engine/world.h"
#include <criterion/criterion.h>
#include <stdlib.h>

/* ---- the table ---- */

static const unsigned every_op[] = {
#define REQUEST(NAME, name, number, right, effect, answer) OP_##NAME,
#include "proto/request.def"
#include "proto/wire.h"
};
#define OPS (sizeof every_op / sizeof *every_op)

/* What it needs lets nobody change anything (and the list of clients is for administrators alone). */
static bool is_for_lookers(const struct request *row)
{
    return row->need == NEED_LOOK || row->need == NEED_LOOK_SOMEWHERE || row->need == NEED_DLQ_LOOK ||
           row->need == NEED_JOB_LOOK || row->need == NEED_ADMIN_EVERYWHERE;
}

static bool is_about_users(const struct request *row)
{
    return row->need == NEED_SELF || row->need == NEED_SELF_OR_USERS || row->need == NEED_USERS;
}

Test(steps, a_request_is_a_command_if_its_step_is_one_and_only_what_changes_is_told_to_the_log)
{
    for (size_t i = 0; i < OPS; i++) {
        const struct request *row = request_find(every_op[i]);
        cr_assert(row && row->op == every_op[i], "operation %u", every_op[i]);
        cr_assert_eq(row->kind == STEP_COMMAND, row->command != 0, "%s", row->name);
        cr_assert_eq(row->kind == STEP_COMMAND, row->effect == EFFECT_CHANGES, "%s", row->name);
        cr_assert_eq(row->kind == STEP_LOOK, row->effect == EFFECT_LOOKS, "%s", row->name);
        cr_assert_eq(row->kind == STEP_MARK, row->answer == ANSWER_NONE, "%s", row->name);
        cr_assert(row->kind != STEP_LOOK || row->run, "%s: a look writes its own answer", row->name);
        cr_assert(row->kind != STEP_LOOK || is_for_lookers(row) || is_about_users(row) ||
                      row->op == OP_PRODUCER,
                  "%s: looking is all it does (and a producer may see its own number)", row->name);
        cr_assert(!row->act || row->kind == STEP_COMMAND, "%s: the log tells of what changes", row->name);
        cr_assert_eq(row->act != NULL, request_reason_place(row->op) >= 0,
                     "%s: a reason is for what the audit log notes", row->name);
        cr_assert(!row->act || strcmp(act_name(row->op), row->act) == 0);
        cr_assert(!row->act || act_find(slice_of(row->act)) == row->op, "%s: its act is no other's",
                  row->name);
        cr_assert(!row->act || row->op == OP_CLOCK_SET || !is_for_lookers(row),
                  "%s: the log tells of what needs more than to look", row->name);
    }
}

/* ---- in one read ---- */

static unsigned batches, commands, publishes_at_once;

static void count_batch(void *context, const struct batch *batch)
{
    unsigned publishes = 0;
    (void)context;
    for (size_t i = 0; i < batch->count; i++)
        publishes += batch->commands[i].kind == COMMAND_PUBLISH;
    batches += publishes > 0;
    commands += publishes;
    publishes_at_once = publishes > publishes_at_once ? publishes : publishes_at_once;
}

static void put_publish(struct mpack_buffer *to, uint64_t id)
{
    size_t at = frame_begin(to, OP_PUBLISH, id, 4);
    mpack_write_cstr(to, "t");
    mpack_write_uint(to, 0);
    mpack_write_uint(to, 0);
    mpack_write_array(to, 1);
    mpack_write_array(to, 1);
    mpack_write_bin(to, "x", 1);
    frame_end(to, at);
}

static void put_peek(struct mpack_buffer *to, uint64_t id)
{
    size_t at = frame_begin(to, OP_PEEK, id, 2);
    mpack_write_cstr(to, "t");
    mpack_write_cstr(to, "default");
    frame_end(to, at);
}

static void put_empty(struct mpack_buffer *to, unsigned op, uint64_t id)
{
    frame_end(to, frame_begin(to, op, id, 0));
}

/* Marks for a subscription that there is not, which say nothing. */
static void put_started(struct mpack_buffer *to)
{
    size_t at = frame_begin(to, OP_STARTED, 0, 2);
    mpack_write_uint(to, 99);
    mpack_write_array(to, 0);
    frame_end(to, at);
}

/* The next answer: its id, and of a PEEK how many messages it shows. */
static uint64_t next_answer(struct mpack_buffer *told, size_t *at, unsigned *ret_op, uint32_t *ret_shown)
{
    cr_assert_lt(*at, told->size, "an answer is missing");
    const uint8_t *h = told->data + *at;
    size_t size = (size_t)h[0] << 24 | (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
    struct mpack_reader r;
    mpack_read_init(&r, h + FRAME_HEADER_BYTES, size);
    *at += FRAME_HEADER_BYTES + size;
    (void)mpack_read_array(&r);
    *ret_op = (unsigned)mpack_read_uint(&r);
    uint64_t id = mpack_read_uint(&r);
    *ret_shown = mpack_peek(&r) == MPACK_ARRAY ? mpack_read_array(&r) : 0;
    return id;
}

static void start(struct world *w)
{
    world_start(w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20, .applied = count_batch});
    w->told[0].size = 0;
    batches = commands = publishes_at_once = 0;
}

Test(steps, a_request_sees_what_came_before_it_and_nothing_of_what_follows)
{
    static const struct {
        enum wire_op op;
        uint32_t shown;
    } asked[] = {{OP_PUBLISH, 0}, {OP_PEEK, 1},    {OP_PUBLISH, 0}, {OP_PUBLISH, 0},
                 {OP_PING, 0},    {OP_PUBLISH, 0}, {OP_PEEK, 4},    {OP_PUBLISH, 0}};
    enum { COUNT = sizeof asked / sizeof *asked };
    struct mpack_buffer frames = {0};
    struct world w;
    start(&w);
    for (uint64_t i = 0; i < COUNT; i++) {
        if (asked[i].op == OP_PUBLISH)
            put_publish(&frames, 100 + i);
        else if (asked[i].op == OP_PEEK)
            put_peek(&frames, 100 + i);
        else
            put_empty(&frames, OP_PING, 100 + i);
    }
    post_frame(&w, w.links[0], &frames, NULL);
    world_turn(&w);
    size_t at = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        unsigned op;
        uint32_t shown;
        cr_assert_eq(next_answer(&w.told[0], &at, &op, &shown), 100 + i, "answers come in order");
        cr_assert_eq(op, OP_OK);
        cr_assert_eq(shown, asked[i].shown, "request %lu", (unsigned long)i);
    }
    cr_assert_eq(at, w.told[0].size);
    cr_assert_eq(batches, 4, "a look or a reply stands between two batches, and nothing else does");
    world_stop(&w);
}

Test(steps, commands_in_a_row_are_one_batch_whoever_sent_them_and_marks_do_not_part_them)
{
    struct world w;
    start(&w);
    for (unsigned i = 0; i < 3; i++) {
        struct mpack_buffer frames = {0};
        put_publish(&frames, 10);
        put_started(&frames);
        put_publish(&frames, 11);
        post_frame(&w, w.links[i], &frames, NULL);
    }
    world_turn(&w);
    cr_assert_eq(commands, 6);
    cr_assert_eq(publishes_at_once, 6, "%u batches", batches);
    world_stop(&w);
}

Test(steps, what_follows_a_goodbye_in_the_same_read_is_nothing)
{
    struct mpack_buffer frames = {0};
    struct world w;
    unsigned op;
    uint32_t shown;
    size_t at = 0;
    start(&w);
    put_publish(&frames, 10);
    put_empty(&frames, OP_GOODBYE, 11);
    put_publish(&frames, 12);
    post_frame(&w, w.links[0], &frames, NULL);
    world_turn(&w);
    cr_assert_eq(next_answer(&w.told[0], &at, &op, &shown), 10);
    cr_assert_eq(next_answer(&w.told[0], &at, &op, &shown), 11);
    cr_assert_eq(at, w.told[0].size);
    cr_assert_eq(commands, 1);
    world_stop(&w);
}

/* ---- the gate ---- */

Test(steps, before_hello_every_request_is_refused_and_none_has_an_effect)
{
    for (size_t i = 0; i < OPS; i++) {
        if (every_op[i] == OP_HELLO)
            continue;
        struct mpack_buffer frames = {0};
        struct world w;
        unsigned op;
        uint32_t shown;
        size_t at = 0;
        start(&w);
        struct session *s = w.links[0]->session;
        s->greeted = false;
        uint64_t index = ledger_index(w.engine->ledger);
        if (every_op[i] == OP_PUBLISH)
            put_publish(&frames, 10);
        else
            put_empty(&frames, every_op[i], 10);
        put_publish(&frames, 11);
        post_frame(&w, w.links[0], &frames, NULL);
        world_turn(&w);
        cr_assert_eq(next_answer(&w.told[0], &at, &op, &shown), 10);
        cr_assert_eq(op, OP_ERROR, "operation %u", every_op[i]);
        cr_assert_eq(at, w.told[0].size, "it is answered once, and nothing behind it");
        cr_assert_not(flow_may(&s->flow, FLOW_GO_ON));
        cr_assert_eq(ledger_index(w.engine->ledger), index);
        world_stop(&w);
    }
}
