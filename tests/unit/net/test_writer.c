/* test_writer: the queue of one connection, without a socket. */
#include "broker/net/writer.h"
#include "tests/unit/net/port_stub.h"
#include <criterion/criterion.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static struct flow_totals no_matter;

/* What was wiped last, before it was. */
static char wiped[64];
void __real_secret_wipe(void *bytes, size_t size);
void __wrap_secret_wipe(void *bytes, size_t size);

void __wrap_secret_wipe(void *bytes, size_t size)
{
    memset(wiped, 0, sizeof wiped);
    memcpy(wiped, bytes, size < sizeof wiped ? size : sizeof wiped - 1);
    __real_secret_wipe(bytes, size);
}

static struct outbox_item *item_of(struct link *link, const char *text)
{
    struct outbox_item *item = calloc(1, sizeof *item);
    cr_assert(item);
    link_ref(link);
    item->link = link;
    mpack_write_raw(&item->bytes, text, strlen(text));
    flow_unsent(&link->account, strlen(text));
    return item;
}

Test(writer, every_length_of_partial_writes_sends_the_same_bytes)
{
    static const char *const texts[] = {"one", "", "twenty-two", "3", "", ""};
    static const char all[] = "onetwenty-two3";
    for (size_t step = 1; step <= sizeof all; step++) {
        struct link *link = link_new(1, &no_matter);
        struct writer w = {0};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            writer_push(&w, item_of(link, texts[i]));
        char got[sizeof all] = "";
        size_t sent = 0;
        struct iovec iov[2];
        unsigned count;
        while ((count = writer_gather(&w, iov, 2)) > 0) {
            size_t left = step;
            for (unsigned i = 0; i < count && left > 0; i++) {
                size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;
                memcpy(got + sent, iov[i].iov_base, part);
                sent += part;
                left -= part;
            }
            writer_wrote(&w, step - left);
            cr_assert_eq(atomic_load(&link->account.unsent_bytes), sizeof all - 1 - sent);
        }
        cr_assert_str_eq(got, all, "steps of %zu", step);
        cr_assert(writer_is_empty(&w));
        link_unref(link);
        cr_assert_eq(links_alive, 0);
    }
}

Test(writer, what_is_dropped_is_no_longer_counted_as_unsent)
{
    struct link *link = link_new(1, &no_matter);
    struct writer w = {0};
    writer_push(&w, item_of(link, "abcdef"));
    writer_push(&w, item_of(link, "ghi"));
    writer_wrote(&w, 4);
    cr_assert_eq(atomic_load(&link->account.unsent_bytes), 5);
    writer_done(&w);
    outbox_item_drop(item_of(link, "xyz"));
    cr_assert_eq(atomic_load(&link->account.unsent_bytes), 0);
    link_unref(link);
    cr_assert_eq(links_alive, 0);
}

Test(writer, a_secret_is_put_together_with_nothing_and_wiped_when_it_was_written_or_dropped)
{
    struct link *link = link_new(1, &no_matter);
    struct writer w = {0};
    struct iovec iov[4];
    for (unsigned i = 0; i < 3; i++) {
        struct outbox_item *item = item_of(link, i == 1 ? "the token" : "an answer");
        item->secret = i == 1;
        writer_push(&w, item);
    }
    cr_assert_eq(writer_gather(&w, iov, 4), 3);
    writer_wrote(&w, strlen("an answer") + strlen("the token"));
    cr_assert_str_eq(wiped, "the token");
    struct outbox_item *dropped = item_of(link, "another");
    dropped->secret = true;
    outbox_item_drop(dropped);
    cr_assert_str_eq(wiped, "another");
    writer_done(&w);
    cr_assert_str_eq(wiped, "another");
    link_unref(link);
}

Test(writer, many_small_items_take_the_memory_of_their_bytes)
{
    enum { COUNT = 10000 };
    struct flow_totals totals = {0};
    struct link *link = link_new(1, &totals);
    struct writer w = {0};
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < COUNT; i++) {
        struct outbox_item *item = item_of(link, "0123456789");
        writer_push(&w, item);
    }
    size_t grown = mallinfo2().uordblks - before;
    cr_assert_lt(grown, COUNT * 10 * 5 / 4, "%zu bytes", grown);
    cr_assert_eq(atomic_load(&totals.waiting_bytes), COUNT * 10);
    cr_assert_eq(writer_held(&w), COUNT * 10);
    writer_done(&w);
    cr_assert_eq(atomic_load(&totals.waiting_bytes), 0);
    cr_assert_eq(atomic_load(&link->account.unsent_bytes), 0);
    link_unref(link);
}

Test(writer, what_is_being_written_does_not_move_and_counts_until_it_is_freed)
{
    struct flow_totals totals = {0};
    struct link *link = link_new(1, &totals);
    struct writer w = {0};
    struct iovec iov[4];
    writer_push(&w, item_of(link, "abc"));
    cr_assert_eq(writer_gather(&w, iov, 4), 1);
    writer_push(&w, item_of(link, "def"));
    writer_push(&w, item_of(link, "ghi"));
    cr_assert_eq(memcmp(iov[0].iov_base, "abc", 3), 0);
    writer_wrote(&w, 2);
    cr_assert_eq(atomic_load(&totals.waiting_bytes), 9);
    writer_wrote(&w, 1);
    cr_assert_eq(atomic_load(&totals.waiting_bytes), 6);
    cr_assert_eq(writer_gather(&w, iov, 4), 1);
    cr_assert_eq(iov[0].iov_len, 6);
    cr_assert_eq(memcmp(iov[0].iov_base, "defghi", 6), 0);
    writer_done(&w);
    cr_assert_eq(atomic_load(&totals.waiting_bytes), 0);
    link_unref(link);
}
