/* test_ledger_rows: what one request, and one tick, looks at is counted and has a bound, whatever is stored.
 */
#include "proto/limits.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* How many rows a page has; whether there are more, and what it looked at. */
static uint32_t page(struct fixture *f, struct mpack_buffer *b, int err, uint64_t before, bool *ret_more)
{
    struct mpack_reader r;
    cr_assert_eq(err, 0);
    mpack_read_init(&r, b->data, b->size);
    uint32_t rows = mpack_read_array(&r);
    for (uint32_t i = 0; i < rows; i++)
        (void)mpack_read_any(&r); /* only counted */
    *ret_more = mpack_read_bool(&r);
    cr_assert(!r.failed);
    b->size = 0;
    uint64_t looked = ledger_rows(f->l) - before;
    cr_assert(looked >= rows && looked <= LOOK_ROWS_MAX + 5000, "%lu rows", (unsigned long)looked);
    return rows;
}

Test(ledger_rows, a_page_of_messages_with_large_bodies_ends_by_what_is_read)
{
    enum { BODY = 1000000, COUNT = 45, PAGE = LOOK_ROWS_MAX / (BODY / 4096) };
    char *body = calloc(1, BODY + 1);
    struct fixture f;
    struct mpack_buffer b = {0}, message = {0};
    bool more = false;
    fixture_init(&f);
    f.careless = true;
    topic_create(&f, "t", settings(POLICY_ttl_ms, 1000, -1));
    memset(body, 'x', BODY);
    write_message(&message, body, 0, 0);
    struct publish_command c = {.topic = text("t"), .messages = {message.data, message.size}, .count = 1};
    for (int i = 0; i < COUNT; i++)
        fixture_run(&f, (struct command){.kind = COMMAND_PUBLISH, .publish = c});
    struct group *g = fixture_group(&f, "t", "default");
    struct view v = {.ledger = f.l};
    cr_assert_eq(store_begin(f.store, false, &v.txn), 0);
    uint64_t before = ledger_rows(f.l);
    uint32_t rows = page(&f, &b, view_peek(&v, g, 0, 1000, false, &b), before, &more);
    cr_assert(more && rows > PAGE - 2 && rows < PAGE + 2, "%u", rows);
    store_abort(v.txn);
    tick(&f, 1000); /* now all are dead */
    cr_assert_eq(store_begin(f.store, false, &v.txn), 0);
    before = ledger_rows(f.l);
    rows = page(&f, &b, view_dead_list(&v, g, 0, 1000, NULL, &b), before, &more);
    cr_assert(more && rows > PAGE - 2 && rows < PAGE + 2, "%u", rows);
    before = ledger_rows(f.l);
    cr_assert_eq(page(&f, &b, view_dead_list(&v, g, rows, 1000, NULL, &b), before, &more), COUNT - rows);
    cr_assert(!more);
    store_abort(v.txn);
    mpack_buffer_done(&b);
    mpack_buffer_done(&message);
    free(body);
    fixture_done(&f);
}

/* The late group's cursor stands where a message is gone that it never knew; what is scheduled after that
 * lies between it and what is ready. */
Test(ledger_rows, the_oldest_ready_message_is_found_past_any_number_of_delayed_ones)
{
    enum { DELAYED = 30000 };
    struct fixture f;
    struct mpack_buffer b = {0}, messages = {0};
    fixture_init(&f);
    f.careless = true;
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 2);
    assign(&f, "t", "default", 2);
    ack(&f, "t", "default", 2);
    group_create(&f, "t", "late", false);
    for (int i = 0; i < DELAYED; i++)
        write_message(&messages, "m", 1000000, 0);
    fixture_at(&f, 1);
    struct publish_command c = {
        .topic = text("t"), .messages = {messages.data, messages.size}, .count = DELAYED};
    fixture_run(&f, (struct command){.kind = COMMAND_PUBLISH, .publish = c});
    assign(&f, "t", "late", 1);
    fixture_at(&f, 2);
    publish(&f, "t", 1);
    struct group *g = fixture_group(&f, "t", "late");
    struct view v = {.ledger = f.l};
    cr_assert_eq(store_begin(f.store, false, &v.txn), 0);
    struct groups_cursor cursor = {0};
    struct group_numbers figures;
    uint64_t before = ledger_rows(f.l);
    while (view_next_group(&v, &cursor, &figures) && strcmp(figures.group, "late") != 0)
        continue;
    cr_assert_eq(figures.oldest_ready_ms, T0 + 2);
    cr_assert_eq(view_group(&v, g, &b), 0);
    cr_assert_lt(ledger_rows(f.l) - before, 80);
    store_abort(v.txn);
    mpack_buffer_done(&b);
    mpack_buffer_done(&messages);
    fixture_done(&f);
}

Test(ledger_rows, a_listing_of_topics_leaves_out_dlqs_and_nothing_that_stands_beside_them)
{
    static const char *const names[] = {"a", "dlq.b", "dlqz", "e"};
    enum { COUNT = sizeof names / sizeof *names };
    struct fixture f;
    fixture_init(&f);
    for (size_t i = COUNT; i-- > 0;)
        topic_create_groups(&f, names[i], "a b");
    struct topic *t = NULL;
    for (size_t i = 0; i < COUNT; i++) {
        t = catalog_topic_after(f.l, t ? text(t->r.name) : (struct slice){0});
        cr_assert(t);
        cr_assert_str_eq(t->r.name, names[i]);
    }
    cr_assert_null(catalog_topic_after(f.l, text(t->r.name)));
    cr_assert_str_eq(catalog_topic_after(f.l, text("dlq:a:a"))->r.name, "dlqz");
    cr_assert_str_eq(catalog_topic_after(f.l, text("b"))->r.name, "dlq.b");
    fixture_done(&f);
}

Test(ledger_rows, jobs_share_a_tick_and_each_of_them_goes_on)
{
    enum { JOBS = 20, EACH = 1500 };
    struct fixture f;
    char name[] = "t-a";
    uint64_t before[JOBS], sum = 0;
    fixture_init(&f);
    f.careless = true;
    for (int i = 0; i < JOBS; i++) {
        name[2] = (char)('a' + i);
        topic_create(&f, name, settings(-1));
        publish(&f, name, EACH);
        topic_purge(&f, name, NULL);
        before[i] = fixture_group(&f, name, "default")->r.counts.purged;
        cr_assert_eq(before[i], 512, "its first page comes at once");
    }
    tick(&f, 1);
    for (int i = 0; i < JOBS; i++) {
        name[2] = (char)('a' + i);
        uint64_t now = fixture_group(&f, name, "default")->r.counts.purged;
        cr_assert_gt(now, before[i]);
        sum += now - before[i];
    }
    cr_assert_leq(sum, 2048);
    tick_until_quiet(&f);
    cr_assert_eq(fixture_group(&f, name, "default")->r.counts.purged, EACH);
    fixture_done(&f);
}

Test(ledger_rows, what_a_command_changes_counts_and_what_a_tick_does_is_nobodys)
{
    struct fixture f;
    fixture_init(&f);
    f.careless = true;
    topic_create(&f, "t", settings(-1));
    uint64_t before = ledger_rows(f.l);
    publish(&f, "t", 1500);
    cr_assert_eq(ledger_rows(f.l), before, "a message's way is bounded by its bytes");
    topic_purge(&f, "t", NULL);
    cr_assert_geq(ledger_rows(f.l) - before, 512 * CHANGED_ROW);
    before = ledger_rows(f.l);
    tick(&f, 1);
    cr_assert_eq(ledger_rows(f.l), before);
    fixture_done(&f);
}
