/* writer: the queue of one connection. */
#include "broker/net/writer.h"

#include "base/check.h"
#include "base/secret.h"
#include <stdlib.h>

/* Items are put together up to this. */
#define MERGED_BYTES_MAX (16u * 1024)

static bool merge(struct outbox_item *tail, struct outbox_item *item);
static void subtract(struct outbox_item *item, size_t size);
static void item_free(struct outbox_item *item);
static void skip_empty(struct writer *w);
static void pop(struct writer *w);

void writer_push(struct writer *w, struct outbox_item *item)
{
    item->next = NULL;
    if (w->tail && merge(w->tail, item))
        return;
    if (w->tail)
        w->tail->next = item;
    else
        w->head = item;
    w->tail = item;
    skip_empty(w);
}

unsigned writer_gather(struct writer *w, struct iovec *to, unsigned count)
{
    unsigned used = 0;
    size_t offset = w->head_offset;
    for (struct outbox_item *item = w->head; item && used < count; item = item->next) {
        item->lent = true;
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
        check(item && item->bytes.size > w->head_offset);
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
    return !w->head;
}

size_t writer_held(const struct writer *w)
{
    size_t size = 0;
    for (const struct outbox_item *item = w->head; item; item = item->next)
        size += item->bytes.size;
    return size;
}

void writer_done(struct writer *w)
{
    while (w->head) {
        subtract(w->head, w->head->bytes.size - w->head_offset);
        pop(w);
    }
}

void outbox_item_drop(struct outbox_item *item)
{
    subtract(item, item->bytes.size);
    item_free(item);
}

/* Put `item` behind what the tail holds, unless somebody is writing that. False if it stays what it is. */
static bool merge(struct outbox_item *tail, struct outbox_item *item)
{
    if (tail->lent || tail->secret || item->secret || tail->link != item->link ||
        tail->bytes.size + item->bytes.size > MERGED_BYTES_MAX)
        return false;
    mpack_write_raw(&tail->bytes, item->bytes.data, item->bytes.size);
    if (tail->bytes.failed) {
        tail->bytes.failed = false; /* what was there still is */
        return false;
    }
    mpack_buffer_done(&item->bytes); /* they are counted with the tail's now */
    item_free(item);
    return true;
}

static void subtract(struct outbox_item *item, size_t size)
{
    if (item->link)
        flow_written(&item->link->account, size);
}

static void item_free(struct outbox_item *item)
{
    if (item->link)
        flow_freed(&item->link->account, item->bytes.size);
    if (item->secret)
        secret_wipe(item->bytes.data, item->bytes.size);
    mpack_buffer_done(&item->bytes);
    if (item->link)
        link_unref(item->link);
    free(item);
}

/* Drop items at the head of which nothing is left to write. */
static void skip_empty(struct writer *w)
{
    while (w->head && w->head_offset == w->head->bytes.size)
        pop(w);
}

/* Free the head. */
static void pop(struct writer *w)
{
    struct outbox_item *item = w->head;
    w->head = item->next;
    w->head_offset = 0;
    if (!w->head)
        w->tail = NULL;
    item_free(item);
}
