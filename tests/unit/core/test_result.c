/* test_result: what applying a batch came to, as values that live until the next one. */
#include "tests/unit/core/ledger_fixture.h"
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIR_BYTES 256

enum { MESSAGES = 5 };

/* Messages that differ in size, so that bytes which moved are not those that they were. */
static void write_messages(struct mpack_buffer *to, struct slice *ret)
{
    size_t at[MESSAGES + 1];
    for (unsigned i = 0; i < MESSAGES; i++) {
        char body[64];
        memset(body, 'a' + (int)i, sizeof body);
        body[10 + i * 7] = 0;
        at[i] = to->size;
        write_message(to, body, 0, 0);
    }
    at[MESSAGES] = to->size;
    for (unsigned i = 0; i < MESSAGES; i++)
        ret[i] = (struct slice){to->data + at[i], at[i + 1] - at[i]};
}

/* On disk, where a delete moves the rows beside it, if they were written in the same transaction. */
static void open_on_disk(struct fixture *f, char *dir)
{
    struct store *store;
    char why[512];
    const char *base = getenv("TMPDIR");
    (void)snprintf(dir, DIR_BYTES, "%s/shunt-result-XXXXXX", base ? base : "/tmp");
    cr_assert_not_null(mkdtemp(dir));
    struct store_lmdb_options o = {
        .dir = dir, .map_bytes = 16u << 20, .map_bytes_max = 64u << 20, .create = true};
    cr_assert_eq(store_lmdb_open(&o, &store, why, sizeof why), 0, "%s", why);
    fixture_init_on(f, store);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    return remove(path);
}

Test(result, a_message_handed_out_stays_as_it_was_when_the_batch_deletes_others_and_itself)
{
    char dir[DIR_BYTES];
    struct fixture f;
    struct mpack_buffer bytes = {0};
    struct slice messages[MESSAGES];
    struct store_txn *t;
    size_t count;
    unsigned seen = 0;
    open_on_disk(&f, dir);
    topic_create(&f, "t", (struct policy_change){0});
    write_messages(&bytes, messages);
    uint32_t group = ledger_group_id(fixture_group(&f, "t", "default"));
    struct resolution acks[] = {{.seq = 1, .token = 1, .acked = true}, {.seq = 2, .token = 1, .acked = true}};
    const struct command batch[] = {
        {.kind = COMMAND_PUBLISH,
         .publish = {.topic = text("t"), .messages = {bytes.data, bytes.size}, .count = MESSAGES}},
        {.kind = COMMAND_ASSIGN, .assign = {.group = group, .messages = MESSAGES, .bytes = 1 << 20}},
        {.kind = COMMAND_RESOLVE, .resolve = {.group = group, .entries = acks, .count = 2}},
    };
    const struct batch b = {.index = ledger_index(f.l) + 1, .time_ms = T0, .commands = batch, .count = 3};
    cr_assert_eq(store_begin(f.store, true, &t), 0);
    cr_assert_eq(ledger_apply(f.l, t, &b), 0);
    const struct result *results = ledger_results(f.l, &count);
    for (size_t i = 0; i < count; i++) {
        if (results[i].kind != RESULT_HANDED_OUT)
            continue;
        cr_assert_lt(seen, MESSAGES);
        const struct handout *h = &results[i].handed_out;
        cr_assert_eq(h->seq, seen + 1);
        cr_assert(slice_equal(h->message, messages[seen]), "message %u", seen + 1);
        seen++;
    }
    cr_assert_eq(seen, MESSAGES);
    store_abort(t);
    mpack_buffer_done(&bytes);
    fixture_drop(&f);
    cr_assert_eq(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

Test(result, one_batch_tells_once_that_a_group_has_something_ready_until_it_was_handed_out)
{
    struct fixture f;
    struct mpack_buffer bytes = {0};
    struct slice messages[MESSAGES];
    fixture_init(&f);
    topic_create(&f, "t", (struct policy_change){0});
    write_messages(&bytes, messages);
    const struct command publish = {.kind = COMMAND_PUBLISH,
                                    .publish = {.topic = text("t"), .messages = messages[0], .count = 1}};
    const struct command assign = {.kind = COMMAND_ASSIGN,
                                   .assign = {.group = ledger_group_id(fixture_group(&f, "t", "default")),
                                              .messages = 1,
                                              .bytes = 1 << 20}};
    const struct command batch[] = {publish, publish, publish, assign, publish, publish};
    fixture_apply(&f, batch, 3);
    cr_assert_eq(f.readies, 1);
    fixture_apply(&f, batch, 6);
    cr_assert_eq(f.readies, 2);
    mpack_buffer_done(&bytes);
    fixture_done(&f);
}
