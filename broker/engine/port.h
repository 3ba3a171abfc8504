/* port: what the net thread and the engine thread hand each other.
 *
 * Everything crosses as lists that are swapped whole under a short lock. Bytes are read once, into a chunk,
 * and stay there until the engine has copied what it stores; bytes to send are built once, by the engine, in
 * a buffer that the net thread writes and frees.
 */
#ifndef SHUNT_ENGINE_PORT_H
#define SHUNT_ENGINE_PORT_H

#include "broker/flow/flow.h"
#include "proto/mpack.h"

struct session;

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
    struct flow_account account; /* both threads' */
    struct session *session;     /* the engine's; nobody else touches it */
    void *conn;                  /* the net thread's; nobody else touches it */
    char peer[64];               /* address, for logs; set before the first post, as is: */
    /* that its certificate carries: each with a zero byte, an empty one at the end; NULL: none. Set as `peer` */
    char *names;
    bool own; /* made by this process itself, for HTTP */
    /* through the Unix socket, by root or the user that the server runs as: the local administrator */
    bool local;
};

struct link *link_new(uint64_t id, struct flow_totals *totals); /* NULL without memory; one reference */
void link_ref(struct link *l);
void link_unref(struct link *l);

enum port_kind {
    PORT_FRAMES, /* `bytes`: one or more whole validated frames, each with its length field, inside `chunk` */
    PORT_LOST,   /* the connection is gone, maybe `closed` by the server; nothing more comes from it */
    PORT_BROKEN, /* a bad frame came: answer with ERROR PROTOCOL and close; only PORT_DRAINED, PORT_CAUGHT_UP
                    and PORT_LOST come after it */
    PORT_ENDED,  /* the peer sends nothing more: answer what came before, judge what it holds as with a lost
                    connection, and close; only PORT_DRAINED, PORT_CAUGHT_UP and PORT_LOST come after it */
    PORT_DRAINED,   /* what outbox_item.ask waited for has come: its client has read enough */
    PORT_ROOM,      /* less waits for all clients together: messages may be assigned again */
    PORT_CAUGHT_UP, /* what had reached the socket when outbox_item.ask_ms came has been posted */
    PORT_SNAPSHOT,  /* somebody waits for a snapshot */
    PORT_LOGIN,     /* the password of its HELLO has been verified, as `ticket` says */
};

struct login_ticket;
struct snapshot_wait;

/* net or http -> engine. The engine frees the item and drops its references to link and chunk. */
struct inbox_item {
    struct inbox_item *next;
    enum port_kind kind;
    bool soon;           /* the net thread calls engine_serve() before it sleeps */
    struct link *link;   /* a reference; NULL with PORT_SNAPSHOT and PORT_ROOM */
    struct chunk *chunk; /* a reference; only with PORT_FRAMES */
    struct slice bytes;
    int64_t received_ms; /* only with PORT_FRAMES: mono, when the last of them had come, at the latest */
    uint64_t request_id; /* only with PORT_BROKEN: of the bad frame, 0 if it could not be read */
    const char *why;     /* only with PORT_BROKEN; static storage */
    bool closed;         /* only with PORT_LOST: for want of room or patience, not by the peer */
    int64_t ask_ms;      /* only with PORT_CAUGHT_UP: as it was asked */
    struct snapshot_wait *wait;  /* only with PORT_SNAPSHOT */
    struct login_ticket *ticket; /* only with PORT_LOGIN */
    size_t memory_bytes;         /* kept alive beside the item; 0: the size of `bytes` */
    size_t counted_bytes;        /* the engine's: what it adds to the account's inbox … */
    bool held;                   /* … or, while this is set, to what is held */
};

/* engine -> net. The net thread frees the item and its buffer, and drops the reference to link. */
struct outbox_item {
    struct outbox_item *next;
    struct link *link;
    struct mpack_buffer bytes; /* whole frames; may be empty */
    bool close;                /* close the connection once these bytes are written */
    enum flow_ask ask;         /* do not read it, and post PORT_DRAINED when its client has read enough */
    /* not 0: post PORT_CAUGHT_UP with it when all that has reached the socket by now is posted */
    int64_t ask_ms;
    /* they hold a token: they are wiped when they have been sent, and go into nobody else's memory */
    bool secret;
    bool lent; /* the net thread's: its bytes are being written and must not move */
};

#endif
