/* port: what the net thread and the engine thread hand each other.
 *
 * Everything crosses as lists that are swapped whole under a short lock. Bytes are read once, into a chunk,
 * and stay there until the engine has copied what it stores; bytes to send are built once, by the engine, in
 * a buffer that the net thread writes and frees.
 */
#ifndef SHUNT_ENGINE_PORT_H
#define SHUNT_ENGINE_PORT_H

#include "proto/mpack.h"
#include <stdatomic.h>

/* A read buffer shared by the frames that lie in it. Made by the net thread with one reference. */
struct chunk {
    _Atomic uint32_t refs;
    uint32_t capacity; /* bytes */
    uint8_t data[];
};

struct chunk *chunk_new(uint32_t capacity); /* NULL without memory */
void chunk_ref(struct chunk *c);
void chunk_unref(struct chunk *c); /* takes NULL; frees with the last */

/* One connection as both threads know it. Made by the net thread; each side drops its reference when it is
 * through: the net thread after it posted PORT_LOST, the engine after it handled that. */
struct link {
    uint64_t id;
    _Atomic uint32_t refs;
    /* Bytes handed to the net thread and not yet written to the socket. The engine adds, the net thread
     * subtracts. */
    _Atomic size_t unsent_bytes;
    /* Set by the engine when it holds back deliveries because of unsent_bytes; the net thread clears it and
     * posts PORT_DRAINED once unsent_bytes has fallen below half of the limit. */
    _Atomic bool held_back;
    void *session; /* the engine's; nobody else touches it */
    void *conn;    /* the net thread's; nobody else touches it */
    char peer[64]; /* address, for logs; set before the first post */
};

struct link *link_new(uint64_t id); /* NULL without memory; one reference */
void link_ref(struct link *l);
void link_unref(struct link *l);

enum port_kind {
    PORT_FRAMES, /* `bytes`: one or more whole validated frames, each with its length field, inside `chunk` */
    PORT_LOST,   /* the connection is gone; nothing more comes from it */
    PORT_BROKEN, /* a bad frame came: answer with ERROR PROTOCOL and close; only PORT_LOST comes after it */
    PORT_DRAINED, /* its unsent bytes have fallen: deliveries may go on */
    PORT_STATS,   /* somebody waits for a snapshot */
};

struct snapshot_wait;

/* net or http -> engine. The engine frees the item and drops its references to link and chunk. */
struct inbox_item {
    struct inbox_item *next;
    enum port_kind kind;
    struct link *link;   /* a reference; NULL with PORT_STATS */
    struct chunk *chunk; /* a reference; only with PORT_FRAMES */
    struct slice bytes;
    uint64_t request_id;        /* only with PORT_BROKEN: of the bad frame, 0 if it could not be read */
    const char *why;            /* only with PORT_BROKEN; static storage */
    struct snapshot_wait *wait; /* only with PORT_STATS */
    size_t counted_bytes;       /* the engine's: what it adds to the inbox's size */
};

/* engine -> net. The net thread frees the item and its buffer, and drops the reference to link. */
struct outbox_item {
    struct outbox_item *next;
    struct link *link;
    struct mpack_buffer bytes; /* whole frames; may be empty */
    bool close;                /* close the connection once these bytes are written */
};

#endif
