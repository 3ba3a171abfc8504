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
#include <stdbool.h>

/* A read buffer shared by the frames that lie in it. Made by the net thread with one reference. */
struct chunk {
    _Atomic uint32_t refs;
    uint32_t capacity; /* bytes */
    uint8_t data[];
};

struct chunk *chunk_new(uint32_t capacity); /* NULL without memory */
void chunk_ref(struct chunk *c);
void chunk_unref(struct chunk *c); /* takes NULL; frees with the last */

/* What all connections of one net have together. Made by its owner, zeroed; both threads use it. */
struct port_totals {
    /* Memory of what waits to be sent, and of requests that wait behind it. What is written in part counts as
     * a whole until it is freed. */
    _Atomic size_t waiting_bytes;
    /* Set by the engine when it stopped handing out because of waiting_bytes; the net thread clears it and
     * posts PORT_DRAINED without a link once they are below the limit. */
    _Atomic bool wanted;
    _Atomic size_t sockets; /* open, whatever was said on them */
};

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
    _Atomic size_t inbox_bytes;  /* of its requests in the inbox; the engine's */
    _Atomic size_t parked_bytes; /* of requests that wait behind those, or for their turn; the engine's */
    struct port_totals *totals; /* NULL: nobody adds up */
    void *session;              /* the engine's; nobody else touches it */
    void *conn;                 /* the net thread's; nobody else touches it */
    char peer[64];              /* address, for logs; set before the first post */
};

struct link *link_new(uint64_t id); /* NULL without memory; one reference */
void link_ref(struct link *l);
void link_unref(struct link *l);

/* Count an item's bytes, which wait to be sent from now on. The net thread subtracts them from unsent_bytes
 * as they are written, and from waiting_bytes when the item is freed. */
static inline void link_unsent_add(struct link *l, size_t bytes)
{
    atomic_fetch_add(&l->unsent_bytes, bytes);
    if (l->totals)
        atomic_fetch_add(&l->totals->waiting_bytes, bytes);
}

/* Limits on what waits to be sent. As more waits on all connections together, each may have less: half of the
 * sum changes nothing yet; three quarters are the most that those may fill for whom something waits already,
 * and what answers that may be long; the last quarter is for deliveries to those who have read all. Short
 * answers to those are never held back. So no number of peers that do not read keeps the others from being
 * served, and the sum is passed by one page or message, and a few KiB a connection. */
struct port_room {
    size_t one_max; /* for one connection */
    size_t all_max; /* for all together; 0: no limit */
};

/* Past this those are closed who take nothing. */
static inline size_t port_room_mark(const struct port_room *room)
{
    return room->all_max ? room->all_max - room->all_max / 4 : SIZE_MAX;
}

/* The most that may wait for a connection with `own` waiting bytes while `all` wait in sum. */
static inline size_t port_room_most(const struct port_room *room, size_t own, size_t all)
{
    if (!room->all_max)
        return room->one_max;
    size_t mark = own ? port_room_mark(room) : room->all_max;
    size_t most = mark > all ? mark - all : 0;
    return most < room->one_max ? most : room->one_max;
}

/* So much waits for a connection that it gets nothing more, and is not read. */
static inline bool port_room_is_over(const struct port_room *room, size_t own, size_t all)
{
    return own && own > port_room_most(room, own, all);
}

/* After it was over: enough has gone to begin again. */
static inline bool port_room_is_back(const struct port_room *room, size_t own, size_t all)
{
    return !own || own < port_room_most(room, own, all) / 2;
}

enum port_kind {
    PORT_FRAMES, /* `bytes`: one or more whole validated frames, each with its length field, inside `chunk` */
    PORT_LOST,   /* the connection is gone, maybe `closed` by the server; nothing more comes from it */
    PORT_BROKEN, /* a bad frame came: answer with ERROR PROTOCOL and close; only PORT_DRAINED, PORT_CAUGHT_UP
                    and PORT_LOST come after it */
    PORT_ENDED,  /* the peer sends nothing more: answer what came before, judge what it holds as with a lost
                    connection, and close; only PORT_DRAINED, PORT_CAUGHT_UP and PORT_LOST come after it */
    PORT_DRAINED,   /* unsent bytes have fallen: deliveries may go on, to `link` or (without one) to all */
    PORT_CAUGHT_UP, /* what had reached the socket when outbox_item.ask_ms came has been posted */
    PORT_STATS,     /* somebody waits for a snapshot */
};

struct snapshot_wait;

/* net or http -> engine. The engine frees the item and drops its references to link and chunk. */
struct inbox_item {
    struct inbox_item *next;
    enum port_kind kind;
    struct link *link;   /* a reference; NULL with PORT_STATS, and with PORT_DRAINED of all */
    struct chunk *chunk; /* a reference; only with PORT_FRAMES */
    struct slice bytes;
    uint64_t request_id;        /* only with PORT_BROKEN: of the bad frame, 0 if it could not be read */
    const char *why;            /* only with PORT_BROKEN; static storage */
    bool closed;                /* only with PORT_LOST: for want of room or patience, not by the peer */
    int64_t ask_ms;             /* only with PORT_CAUGHT_UP: as it was asked */
    struct snapshot_wait *wait; /* only with PORT_STATS */
    size_t memory_bytes;        /* kept alive beside the item; 0: the size of `bytes` */
    size_t counted_bytes;       /* the engine's: what it adds to the inbox's size … */
    bool waits;                 /* … or, while this is set, to port_totals.waiting_bytes */
};

/* engine -> net. The net thread frees the item and its buffer, and drops the reference to link. */
struct outbox_item {
    struct outbox_item *next;
    struct link *link;
    struct mpack_buffer bytes; /* whole frames; may be empty */
    bool close;                /* close the connection once these bytes are written */
    int64_t
        ask_ms; /* not 0: post PORT_CAUGHT_UP with it when all that has reached the socket by now is posted */
    bool lent;  /* the net thread's: its bytes are being written and must not move */
};

#endif
