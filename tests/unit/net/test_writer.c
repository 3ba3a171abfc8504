/* test_writer: the queue of one connection, without a socket. */
#include "broker/net/writer.h"
#include "tests/unit/net/port_stub.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct outbox_item *item_of(struct link *link, const char *text)
{
    struct outbox_item *item = calloc(1, sizeof *item);
    cr_assert(item);
    link_ref(link);
    item->link = link;
    mpack_write_raw(&item->bytes, text, strlen(text));
    atomic_fetch_add(&link->unsent_bytes, strlen(text));
    return item;
}

Test(writer, every_length_of_partial_writes_sends_the_same_bytes)
{
    static const char *const texts[] = {"one", "", "twenty-two", "3", "", ""};
    static const char all[] = "onetwenty-two3";
    for (size_t step = 1; step <= sizeof all; step++) {
        struct link *link = link_new(1);
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
            cr_assert_eq(atomic_load(&link->unsent_bytes), sizeof all - 1 - sent);
        }
        cr_assert_str_eq(got, all, "steps of %zu", step);
        cr_assert(writer_is_empty(&w));
        link_unref(link);
        cr_assert_eq(links_alive, 0);
    }
}

Test(writer, what_is_dropped_is_no_longer_counted_as_unsent)
{
    struct link *link = link_new(1);
    struct writer w = {0};
    writer_push(&w, item_of(link, "abcdef"));
    writer_push(&w, item_of(link, "ghi"));
    writer_wrote(&w, 4);
    cr_assert_eq(atomic_load(&link->unsent_bytes), 5);
    writer_done(&w);
    outbox_item_drop(item_of(link, "xyz"));
    cr_assert_eq(atomic_load(&link->unsent_bytes), 0);
    link_unref(link);
    cr_assert_eq(links_alive, 0);
}
