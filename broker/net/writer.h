/* writer: what waits to be sent on one connection, in order. Knows no socket: its owner gathers, writes, and
 * says how much was taken. */
#ifndef SHUNT_NET_WRITER_H
#define SHUNT_NET_WRITER_H

#include "broker/engine/port.h"
#include <sys/uio.h>

/* Buffers in one write: as many as one writev() takes without being asked to loop. */
#define WRITER_BUFFERS_MAX 64

struct writer {
    struct outbox_item *head;
    struct outbox_item *tail;
    size_t head_offset; /* bytes of the head that are written */
};

/* Append. Takes the item, whose bytes were added to its link's unsent_bytes if it has a link. Small items are
 * put together, so that a queue takes little more memory than its bytes. */
void writer_push(struct writer *w, struct outbox_item *item);

/* The next bytes to write, as up to `count` buffers, which stay where they are until they are written.
 * Returns how many; 0 when all is written. */
unsigned writer_gather(struct writer *w, struct iovec *to, unsigned count);

/* The first `size` of the gathered bytes were written: free what is done with and lower unsent_bytes. */
void writer_wrote(struct writer *w, size_t size);

bool writer_is_empty(const struct writer *w);

/* Bytes of memory in it: an item is held until all of it is written. */
size_t writer_held(const struct writer *w);

/* Free all that was not written. */
void writer_done(struct writer *w);

/* Free one item that will not be written: its bytes, its reference, its share of unsent_bytes. */
void outbox_item_drop(struct outbox_item *item);

#endif
