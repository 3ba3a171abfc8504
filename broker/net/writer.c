/* writer: the queue of one connection. */
#include "broker/net/writer.h"

#include <assert.h>
#include <stdlib.h>

static void subtract(struct outbox_item *item, size_t size);
static void item_free(struct outbox_item *item);
static void skip_empty(struct writer *w);

void writer_push(struct writer *w, struct outbox_item *item)
{
    item->next = NULL;
    if (w->tail)
        w->tail->next = item;
    else
        w->head = item;
    w->tail = item;
    skip_empty(w);
}

unsigned writer_gather(const struct writer *w, struct iovec *to, unsigned count)
{
    unsigned used = 0;
    size_t offset = w->head_offset;
    for (const struct outbox_item *item = w->head; item && used < count; item = item->next) {
        if (item->bytes.size > offset)
            to[used++] = (struct iovec){item->bytes.data + offset, item->bytes.size - offset};
        offset = 0;
    }
    return used;
}

void writer_wrote(struct writer *w, size_t size)
{
    while (size > 0) {
        struct outbox_item *item = w->head;
        assert(item && item->bytes.size > w->head_offset);
        size_t left = item->bytes.size - w->head_offset;
        size_t part = size < left ? size : left;
        subtract(item, part);
        w->head_offset += part;
        size -= part;
        skip_empty(w);
    }
}

bool writer_is_empty(const struct writer *w)
{
    return w->head == NULL;
}

void writer_done(struct writer *w)
{
    while (w->head) {
        struct outbox_item *item = w->head;
        w->head = item->next;
        subtract(item, item->bytes.size - w->head_offset);
        w->head_offset = 0;
        item_free(item);
    }
    w->tail = NULL;
}

void outbox_item_drop(struct outbox_item *item)
{
    subtract(item, item->bytes.size);
    item_free(item);
}

static void subtract(struct outbox_item *item, size_t size)
{
    if (item->link)
        atomic_fetch_sub(&item->link->unsent_bytes, size);
}

static void item_free(struct outbox_item *item)
{
    mpack_buffer_done(&item->bytes);
    if (item->link)
        link_unref(item->link);
    free(item);
}

/* Drop items at the head of which nothing is left to write. */
static void skip_empty(struct writer *w)
{
    while (w->head && w->head_offset == w->head->bytes.size) {
        struct outbox_item *item = w->head;
        w->head = item->next;
        w->head_offset = 0;
        if (!w->head)
            w->tail = NULL;
        item_free(item);
    }
}
