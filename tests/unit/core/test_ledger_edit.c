/* Edits of dead letters: who gets the edited body and who does not, how long it stays, and what is refused. */
#include "proto/errors.h"
#include "proto/message.h"
#include "tests/unit/core/ledger_rules.h"

/* The topic `t` with the groups `default` and `b`, for both of which message 1 is dead: [body, headers, key, delay, ttl, more]. */
static void begin_edit(struct fixture *f)
{
    struct mpack_buffer m = {0};
    fixture_init(f);
    f->quiet = true;
    topic_create_groups(f, "t", "default b");
    topic_create(f, "u", settings(-1));
    mpack_write_array(&m, 7);
    mpack_write_bin(&m, "broken", 6);
    mpack_write_map(&m, 1);
    mpack_write_cstr(&m, "h");
    mpack_write_bin(&m, "v", 1);
    mpack_write_cstr(&m, "key");
    mpack_write_uint(&m, 0);
    mpack_write_uint(&m, 5000);
    mpack_write_uint(&m, 0);
    mpack_write_cstr(&m, "later");
    fixture_run(f,
                (struct command){.kind = COMMAND_PUBLISH,
                                 .publish = {.topic = text("t"), .messages = {m.data, m.size}, .count = 1}});
    mpack_buffer_done(&m);
    assign(f, "t", "default", 1);
    fail(f, "t", "default", 1, ATTEMPT_REJECTED);
    assign(f, "t", "b", 1);
    fail(f, "t", "b", 1, ATTEMPT_REJECTED);
}

/* The message that the group gets next. */
static struct message_view next_of(struct fixture *f, const char *topic, const char *group)
{
    struct message_view m = {0};
    struct mpack_reader r;
    const char *why;
    assign(f, topic, group, 1);
    cr_assert_eq(f->assigned, 1);
    mpack_read_init(&r, f->last_body.data, f->last_body.size);
    cr_assert_eq(message_read_new(&r, BODY_BYTES_MAX, &m, &why), 0);
    return m;
}

static uint64_t edit_rows(struct fixture *f)
{
    return rows_in(f, TABLE_EDIT);
}

static uint64_t edited(struct fixture *f, const char *body)
{
    edit(f, "t", "default", "t/1", 0, body);
    cr_assert_eq(f->err, 0, "%s", f->why);
    return f->count;
}

/* ---- who gets it ---- */

Test(ledger_edit,
     its_group_gets_the_edited_body_with_all_else_as_published_and_another_group_the_published_one)
{
    struct fixture f;
    begin_edit(&f);
    cr_assert_neq(edited(&f, "mended"), 0);
    redrive(&f, "t", "default", UINT64_MAX, 0);
    redrive(&f, "t", "b", UINT64_MAX, 0);
    struct message_view m = next_of(&f, "t", "default");
    cr_assert(slice_is(m.body, "mended") && slice_is(m.key, "key") && m.later && m.ttl_ms == 5000);
    cr_assert(m.headers_count == 1 && slice_is(message_header(&m, "h"), "v"));
    m = next_of(&f, "t", "b");
    cr_assert(slice_is(m.body, "broken"));
    fixture_done(&f);
}

Test(ledger_edit, it_stays_through_failures_further_deaths_and_a_restart_and_goes_with_the_ack)
{
    struct fixture f;
    begin_edit(&f);
    (void)edited(&f, "mended");
    for (int deaths = 0; deaths < 3; deaths++) {
        redrive(&f, "t", "default", UINT64_MAX, 0);
        cr_assert(slice_is(next_of(&f, "t", "default").body, "mended"));
        nack(&f, "t", "default", 1, 10);
        tick(&f, f.now_ms + 10);
        cr_assert(slice_is(next_of(&f, "t", "default").body, "mended"));
        fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
        fixture_reload(&f);
        recover(&f);
    }
    redrive(&f, "t", "default", UINT64_MAX, 0);
    cr_assert(slice_is(next_of(&f, "t", "default").body, "mended"));
    cr_assert_eq(edit_rows(&f), 2);
    ack(&f, "t", "default", 1);
    cr_assert_eq(edit_rows(&f), 0);
    fixture_done(&f);
}

Test(ledger_edit, a_reader_of_the_queue_and_a_move_to_another_topic_have_the_edited_body)
{
    struct fixture f;
    struct dead_command c = all();
    begin_edit(&f);
    (void)edited(&f, "mended");
    cr_assert(slice_is(next_of(&f, "dlq:t:default", "default").body, "mended"));
    cr_assert(slice_is(next_of(&f, "dlq:t:b", "default").body, "broken"));
    c.to = text("u");
    redrive_as(&f, &c);
    tick_until_quiet(&f);
    struct message_view m = next_of(&f, "u", "default");
    cr_assert(slice_is(m.body, "mended") && slice_is(message_header(&m, ORIGIN_HEADER), "t/1"));
    cr_assert_eq(edit_rows(&f), 0, "the letter is gone");
    fixture_done(&f);
}

Test(ledger_edit, an_edit_takes_the_place_of_the_one_before_and_an_undo_leaves_none)
{
    struct fixture f;
    begin_edit(&f);
    uint64_t first = edited(&f, "mended");
    edit(&f, "t", "default", "1", first, "");
    uint64_t second = f.count;
    cr_assert(!f.err && second > first);
    cr_assert_eq(edit_rows(&f), 2);
    redrive(&f, "t", "default", UINT64_MAX, 0);
    cr_assert_eq(next_of(&f, "t", "default").body.size, 0, "an empty body is one, too");
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    edit(&f, "t", "default", "t/1", second, NULL);
    cr_assert(!f.err && !f.count && !edit_rows(&f));
    redrive(&f, "t", "default", UINT64_MAX, 0);
    cr_assert(slice_is(next_of(&f, "t", "default").body, "broken"));
    fixture_done(&f);
}

Test(ledger_edit, messages_that_were_handed_out_before_an_edit_in_one_batch_keep_their_bodies)
{
    struct fixture f;
    begin_edit(&f);
    edit(&f, "t", "b", "t/1", 0, "mended for b");
    (void)edited(&f, "mended");
    redrive(&f, "t", "default", UINT64_MAX, 0);
    const struct command batch[] = {
        {.kind = COMMAND_ASSIGN,
         .assign = {.group = fixture_group(&f, "t", "default")->r.id, .messages = 1, .bytes = 1000}},
        {.kind = COMMAND_DLQ_EDIT,
         .edit = {.topic = text("t"),
                  .group = text("b"),
                  .id = text("t/1"),
                  .seen = f.l->meta.job_next - 3,
                  .undo = true}},
    };
    fixture_apply(&f, batch, 2);
    cr_assert(f.assigned == 1 && !f.err && edit_rows(&f) == 2);
    struct message_view m;
    struct mpack_reader r;
    const char *why;
    mpack_read_init(&r, f.last_body.data, f.last_body.size);
    cr_assert_eq(message_read_new(&r, BODY_BYTES_MAX, &m, &why), 0);
    cr_assert(slice_is(m.body, "mended"));
    fixture_done(&f);
}

/* ---- when it goes ---- */

Test(ledger_edit, it_goes_with_the_letter_however_that_ends)
{
    static const char *const ends[] = {"purge", "retention", "rule", "group", "topic"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct fixture f;
        begin_edit(&f);
        (void)edited(&f, "mended");
        switch (i) {
        case 0:
            dlq_purge(&f, "t", "default", UINT64_MAX);
            break;
        case 1:
            group_update(&f, "t", "default", settings(POLICY_dlq_retention_ms, 1000, -1));
            tick(&f, 5000);
            break;
        case 2:
            redrive(&f, "t", "default", UINT64_MAX, 0);
            set(&f, 1, "", RULE_DISCARD);
            (void)next_of(&f, "t", "default");
            fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
            cr_assert_eq(edit_rows(&f), 2);
            break;
        case 3:
            group_delete(&f, "t", "default");
            break;
        default:
            topic_delete(&f, "t");
            break;
        }
        tick_until_quiet(&f);
        cr_assert_eq(edit_rows(&f), 0, "%s", ends[i]);
        fixture_done(&f);
    }
}

/* ---- what is refused ---- */

Test(ledger_edit, two_editors_at_once_are_told_and_nothing_of_the_first_is_lost)
{
    struct fixture f;
    begin_edit(&f);
    uint64_t first = edited(&f, "mended");
    edit(&f, "t", "default", "t/1", 0, "mended by another");
    cr_assert(f.err == SHUNT_STALE && !f.changed);
    edit(&f, "t", "default", "t/1", first, NULL);
    cr_assert_eq(f.err, 0);
    edit(&f, "t", "default", "t/1", first, "mended late");
    cr_assert(f.err == SHUNT_STALE && !edit_rows(&f), "the edit that it saw was undone");
    uint64_t second = edited(&f, "mended");
    cr_assert_neq(second, first, "or that would not have been seen");
    fixture_done(&f);
}

Test(ledger_edit, what_is_not_dead_or_not_there_or_damaged_or_too_large_is_refused)
{
    struct fixture f;
    begin_edit(&f);
    f.by = NULL;
    publish(&f, "t", 1);
    static const char *const ids[] = {"t/2", "t/99", "7", "u/1", "nonsense", ""};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        edit(&f, "t", "default", ids[i], 0, "mended");
        cr_assert(f.err == SHUNT_NOT_FOUND && !f.changed, "%s", ids[i]);
    }
    edit(&f, "t", "default", "t/1", 0, NULL);
    cr_assert(f.err == SHUNT_NOT_FOUND && !f.changed, "it was not edited");
    edit(&f, "t", "none", "t/1", 0, "mended");
    cr_assert_eq(f.err, SHUNT_UNKNOWN_GROUP);
    edit(&f, "dlq:t:default", "default", "1", 0, "mended");
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT);
    flip_message_byte(&f, "t", 1, 19);
    edit(&f, "t", "default", "t/1", 0, "mended");
    cr_assert(f.err == SHUNT_CORRUPT && !f.changed, "what goes with the body cannot be read");
    flip_message_byte(&f, "t", 1, 19);
    f.l->meta.body_bytes_max = 5;
    edit(&f, "t", "default", "t/1", 0, "mended");
    cr_assert(f.err == SHUNT_TOO_LARGE && !f.changed);
    edit(&f, "t", "default", "t/1", 0, "five!");
    cr_assert_eq(f.err, 0);
    redrive(&f, "t", "default", UINT64_MAX, 0);
    edit(&f, "t", "default", "t/1", f.l->meta.job_next - 2, "five.");
    cr_assert(f.err == SHUNT_NOT_FOUND && !f.changed, "it has gone back");
    fixture_done(&f);
}

Test(ledger_edit, a_full_store_takes_no_edit_and_lets_one_be_undone)
{
    struct fixture f;
    begin_edit(&f);
    uint64_t number = edited(&f, "mended");
    f.room.fullness = STORE_FULL;
    edit(&f, "t", "default", "t/1", number, "mended again");
    cr_assert(f.err == SHUNT_NO_SPACE && !f.changed);
    edit(&f, "t", "b", "t/1", 0, "mended");
    cr_assert(f.err == SHUNT_NO_SPACE && !f.changed);
    edit(&f, "t", "default", "t/1", number, NULL);
    cr_assert(!f.err && !edit_rows(&f));
    fixture_done(&f);
}

/* ---- who did it ---- */

Test(ledger_edit, who_edits_a_letter_has_looked_at_it_and_the_log_of_acts_has_that)
{
    static const struct actor ann = {.request = 68,
                                     .client = {"ann", 3},
                                     .host = {"h", 1},
                                     .peer = {"127.0.0.1:5", 11},
                                     .reason = {"no date", 7},
                                     .asked = {"message=t/1 body=6B", 19}};
    struct fixture f;
    begin_edit(&f);
    cr_assert_eq(counts(&f)->unattended, 1);
    f.by = &ann;
    uint64_t number = edited(&f, "mended");
    cr_assert_eq(counts(&f)->unattended, 0);
    cr_assert_eq(f.l->meta.audit_rows, 1);
    struct mpack_buffer to = {0};
    struct store_txn *txn;
    cr_assert_eq(store_begin(f.store, false, &txn), 0);
    struct view v = {.ledger = f.l, .txn = txn};
    cr_assert_eq(view_dead(&v, the_group(&f), text("t/1"), false, &to), 0);
    cr_assert(memmem(to.data, to.size, "mended", 6) && !memmem(to.data, to.size, "broken", 6));
    cr_assert(memmem(to.data, to.size, "no date", 7) && memmem(to.data, to.size, "ann", 3));
    to.size = 0;
    cr_assert_eq(view_dead(&v, the_group(&f), text("t/1"), true, &to), 0);
    cr_assert(memmem(to.data, to.size, "broken", 6) && !memmem(to.data, to.size, "mended", 6));
    store_abort(txn);
    mpack_buffer_done(&to);
    edit(&f, "t", "default", "t/1", number + 1, "other");
    cr_assert(f.err == SHUNT_STALE && f.l->meta.audit_rows == 1, "a refused act is none");
    fixture_done(&f);
}
