/* test_ledger_peek: a page of a listing costs a bounded amount, whatever lies between a group's messages and
 * however large its rows are. */
#include "proto/limits.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One page: how many rows, and where the next begins. */
static uint32_t page(struct fixture *f, uint64_t after, bool *ret_more, uint64_t *ret_next)
{
    struct view v = {.ledger = f->l};
    struct mpack_buffer b = {0};
    struct mpack_reader r;
    cr_assert_eq(store_begin(f->store, false, &v.txn), 0);
    cr_assert_eq(view_peek(&v, fixture_group(f, "t", "default"), after, 3, false, &b), 0);
    store_abort(v.txn);
    mpack_read_init(&r, b.data, b.size);
    uint32_t rows = mpack_read_array(&r);
    for (uint32_t i = 0; i < rows; i++)
        (void)mpack_read_any(&r); /* only counted */
    *ret_more = mpack_read_bool(&r);
    *ret_next = mpack_read_uint(&r);
    cr_assert(!r.failed);
    mpack_buffer_done(&b);
    return rows;
}

/* Between the messages of one group may lie any number that only others still need. */
Test(ledger_peek, past_many_messages_of_others_ends_and_says_where_to_go_on)
{
    struct fixture f;
    uint64_t next = 0;
    bool more = false;
    fixture_init(&f);
    f.careless = true; /* an audit of this many rows after each step takes long */
    topic_create_groups(&f, "t", "default late");
    publish(&f, "t", 10500);
    topic_purge(&f, "t", "default");
    tick_until_quiet(&f);
    publish(&f, "t", 1);
    cr_assert_eq(page(&f, 0, &more, &next), 0);
    cr_assert(more);
    cr_assert_lt(next, 10500);
    cr_assert_eq(page(&f, next, &more, &next), 1);
    cr_assert(!more);
    cr_assert_eq(next, 10501);
    fixture_done(&f);
}

/* ---- by bytes ---- */

/* How many rows a listing has, which says whether there are more. */
static uint32_t listed(const struct mpack_buffer *b, bool *ret_more)
{
    struct mpack_reader r;
    mpack_read_init(&r, b->data, b->size);
    uint32_t rows = mpack_read_array(&r);
    for (uint32_t i = 0; i < rows; i++)
        (void)mpack_read_any(&r); /* only counted */
    *ret_more = mpack_read_bool(&r);
    cr_assert(!r.failed);
    return rows;
}

Test(ledger_peek, a_page_of_large_messages_ends_by_its_bytes)
{
    enum { BODY = 1000000 };
    char *body = calloc(1, BODY + 1);
    struct fixture f;
    struct mpack_buffer b = {0}, message = {0};
    bool more = false;
    fixture_init(&f);
    f.careless = true;
    topic_create(&f, "t", settings(-1));
    memset(body, 'x', BODY);
    write_message(&message, body, 0, 0);
    struct publish_command c = {.topic = text("t"), .messages = {message.data, message.size}, .count = 1};
    for (int i = 0; i < 7; i++)
        fixture_run(&f, (struct command){.kind = COMMAND_PUBLISH, .publish = c});
    struct view v = {.ledger = f.l};
    cr_assert_eq(store_begin(f.store, false, &v.txn), 0);
    cr_assert_eq(view_peek(&v, fixture_group(&f, "t", "default"), 0, 100, true, &b), 0);
    cr_assert_eq(listed(&b, &more), PAGE_BYTES_MAX / BODY + 1, "it ends after the one that passes the limit");
    cr_assert(more);
    b.size = 0;
    cr_assert_eq(view_peek(&v, fixture_group(&f, "t", "default"), 0, 100, false, &b), 0);
    cr_assert_eq(listed(&b, &more), 7, "without bodies they are small");
    cr_assert(!more);
    store_abort(v.txn);
    mpack_buffer_done(&b);
    mpack_buffer_done(&message);
    free(body);
    fixture_done(&f);
}

enum { HEADERS = 7 };

static void write_large_headers(struct mpack_buffer *to, const char *value)
{
    mpack_write_array(to, 2);
    mpack_write_bin(to, "m", 1);
    mpack_write_map(to, HEADERS);
    for (int i = 0; i < HEADERS; i++) {
        mpack_write_cstr(to, &"abcdefg"[i]);
        mpack_write_cstr(to, value);
    }
}

Test(ledger_peek, a_page_of_dead_letters_with_large_headers_ends_by_its_bytes)
{
    enum { HEADER = HEADER_VALUE_BYTES_MAX, COUNT = 200 };
    char *value = calloc(1, HEADER + 1);
    struct fixture f;
    struct mpack_buffer b = {0}, messages = {0};
    bool more = false;
    fixture_init(&f);
    f.careless = true;
    topic_create(&f, "t", settings(POLICY_ttl_ms, 1, -1));
    memset(value, 'x', HEADER);
    for (int i = 0; i < COUNT; i++)
        write_large_headers(&messages, value);
    struct publish_command c = {
        .topic = text("t"), .messages = {messages.data, messages.size}, .count = COUNT};
    fixture_run(&f, (struct command){.kind = COMMAND_PUBLISH, .publish = c});
    cr_assert_eq(f.accepted, COUNT);
    tick(&f, 10);
    struct group *g = fixture_group(&f, "t", "default");
    struct view v = {.ledger = f.l};
    cr_assert_eq(store_begin(f.store, false, &v.txn), 0);
    cr_assert_eq(view_dead_list(&v, g, 0, COUNT, NULL, &b), 0);
    uint32_t rows = listed(&b, &more);
    cr_assert(more);
    cr_assert(rows > 140 && rows < 150, "%u", rows);
    b.size = 0;
    cr_assert_eq(view_dead_list(&v, g, rows, COUNT, NULL, &b), 0);
    cr_assert_eq(listed(&b, &more), COUNT - rows);
    cr_assert(!more);
    b.size = 0;
    cr_assert_eq(view_dead_list(&v, g, UINT64_MAX, COUNT, NULL, &b), 0);
    cr_assert_eq(listed(&b, &more), 0);
    cr_assert_eq(view_dead_list(&v, fixture_group(&f, "dlq:t:default", "default"), 0, COUNT, NULL, &b),
                 SHUNT_BAD_ARGUMENT);
    store_abort(v.txn);
    mpack_buffer_done(&b);
    mpack_buffer_done(&messages);
    free(value);
    fixture_done(&f);
}

Test(ledger_peek, a_page_of_topics_with_many_groups_ends_by_its_bytes)
{
    enum { GROUPS = 10000 };
    static char names[GROUPS][NAME_BYTES_MAX];
    static struct slice groups[GROUPS];
    struct fixture f;
    struct mpack_buffer b = {0};
    bool more = false;
    fixture_init(&f);
    f.careless = true;
    fixture_run(&f,
                (struct command){.kind = COMMAND_LIMITS, .limits = {100, GROUPS, 1 << 20, 3600000, 0, 0}});
    for (uint32_t i = 0; i < GROUPS; i++) {
        snprintf(names[i], sizeof names[i], "g%090u", i);
        groups[i] = text(names[i]);
    }
    topic_create(&f, "small", settings(-1));
    struct topic_command c = {.topic = text("large"), .groups = groups, .groups_count = GROUPS};
    fixture_run(&f, (struct command){.kind = COMMAND_TOPIC_CREATE, .topic = c});
    cr_assert_eq(f.err, 0);
    struct view v = {.ledger = f.l};
    cr_assert_eq(store_begin(f.store, false, &v.txn), 0);
    cr_assert_eq(view_topics(&v, text(""), 10, &b), 0);
    cr_assert_eq(listed(&b, &more), 1);
    cr_assert(more);
    b.size = 0;
    cr_assert_eq(view_topics(&v, text("large"), 10, &b), 0);
    cr_assert_eq(listed(&b, &more), 1);
    cr_assert(!more);
    store_abort(v.txn);
    mpack_buffer_done(&b);
    fixture_done(&f);
}
