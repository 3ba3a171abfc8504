/* net: all sockets of one server, on one libuv loop.
 *
 * Reads whole frames and posts them to the engine; writes what the engine hands back. Everything here runs on
 * the loop's thread but net_notify(). Nothing in here logs: what an operator may want to know is reported to
 * the owner.
 */
#ifndef SHUNT_NET_NET_H
#define SHUNT_NET_NET_H

#include "broker/engine/port.h"
#include <uv.h>

struct net;
struct tls_context;

/* The engine, as seen from here. */
struct net_port {
    void *context;
    void (*post)(void *context, struct inbox_item *item);
    /* Reading of this connection must stop until net_notify(). */
    bool (*full)(void *context, const struct link *link);
    struct outbox_item *(*take)(void *context);
    /* Called before the loop sleeps if items were posted with `soon`. True: look as after net_notify(). */
    bool (*serve)(void *context);
};

enum net_event {
    NET_REFUSED,        /* the limit on connections is reached */
    NET_NO_DESCRIPTORS, /* accept() had no file descriptor */
    NET_ACCEPT_FAILED,  /* accept() failed otherwise */
    NET_BAD_FRAME,      /* the peer broke the protocol */
    NET_TIMED_OUT,      /* the peer was too slow */
    NET_EVICTED,        /* a peer that takes nothing was closed: too much waits for all together */
    NET_TLS_FAILED,     /* the peer and we do not come together, or what it sent is damaged */
    NET_CROWDED_OUT,    /* a handshake was given up, as it was the oldest of too many */
    NET_NO_MEMORY,      /* a connection was closed because memory ran out */
    NET_OPENED,
    NET_CLOSED,
};

struct net_limits {
    uint64_t connections_max;
    uint64_t address_connections_max; /* of each address (base/peer.h); 0: no limit */
    uint64_t accepts_per_second;      /* counted in windows of 10 ms, at least one in each; 0: no limit */
    int64_t hello_ms;                 /* from connecting to a whole HELLO */
    int64_t frame_ms;                 /* for each NET_FRAME_PROGRESS_BYTES of an unfinished frame */
    int64_t write_ms;                 /* without a byte taken by a peer for whom bytes wait */
    int64_t peer_ms; /* without a packet from the peer's machine; for connections made from now on */
    uint64_t unsent_bytes_max;  /* past it a connection is not read; below half of it deliveries go on */
    uint64_t unsent_total_max;  /* of all connections (struct flow_limits); 0: no limit */
    int64_t retry_after_ms;     /* asked of a peer that is refused; 0: nothing is */
    uint64_t handshakes_max;    /* handshakes of TLS under way; the oldest makes room for one more */
    uint64_t partial_bytes_max; /* memory for the unfinished frames of all connections */
};

/* While the total is passed, who has taken nothing for so long may be closed (or write_ms, if that is less).
 */
#define NET_STALLED_MS 1000

/* A peer inside a frame must get on by so much in every frame_ms. */
#define NET_FRAME_PROGRESS_BYTES (64u * 1024)

/* At most so much is read from one connection in one round of the loop; then the others have their turn. */
#define NET_ROUND_BYTES_MAX (256u * 1024)

/* So many handshakes get on in one round of the loop: each takes as long as hundreds of frames. */
#define NET_HANDSHAKES_A_ROUND 8

/* Connections of one address past address_connections_max that are being told so. Past these they are just closed. */
#define NET_ADDRESS_REFUSALS_MAX 8

struct net_config {
    uv_loop_t *loop;
    int listen_fd; /* from address_listen() */
    int unix_fd;   /* from unix_socket_listen(); -1: there is none */
    struct tls_context
        *tls; /* of listen_fd; lent until net_tls_set() or the end; NULL: clients speak plainly */
    struct net_limits limits;
    struct net_port port;
    struct flow_totals *totals; /* lent, also to the engine; outlives the connections */
    /* `peer` is an address or empty; `text` is a sentence or empty. */
    void (*report)(void *context, enum net_event event, const char *peer, const char *text);
    void *context; /* of report */
};

/* Make it. Nothing is accepted yet.
 * owns:  takes listen_fd and unix_fd on success.
 * fails: NO_MEMORY, IO (no descriptor left, or the loop is broken). */
int net_new(const struct net_config *config, struct net **ret);

/* Begin to accept. fails: IO. */
int net_start(struct net *n);

/* The outbox has something, or the inbox has room again; any thread. */
void net_notify(struct net *n);

/* Connect to it from within this process; any thread, until net_drain() or net_free(). It is a connection like any other, but
 * that the limit on the number of all does not refuse it, and that its requests count as received now: of how long bytes lie in such a socket the
 * kernel tells nothing, so each request with a time-out takes a connection of its own. `peer` is its address for logs, cut at 63 bytes; `names` those that the certificate
 * of the client that it speaks for carries (tls/peer_names.h), copied; NULL: none was shown. Returns the other end, a stream socket that does not block and is the caller's to close; -1
 * without memory or descriptors. */
int net_connect(struct net *n, const char *peer, const char *names);

/* Take over changed limits. */
void net_limits_set(struct net *n, const struct net_limits *limits);

/* Clients that connect from now on are met with `tls`, lent as in the configuration, and not NULL, as that was not. */
void net_tls_set(struct net *n, struct tls_context *tls);

/* Stop accepting and close the listening sockets. */
void net_stop_accepting(struct net *n);

/* The engine has stopped: post nothing more, send what it left in the outbox, then end every connection.
 * `done` is called, once, when the last is closed, at the latest after `ms_max` (connections left then are
 * cut). */
void net_drain(struct net *n, int64_t ms_max, void (*done)(void *context), void *context);

/* Close what is left and give up the object as soon as the loop has called everything back: run the loop
 * after this until it returns. Takes NULL. */
void net_free(struct net *n);

uint64_t net_connections(const struct net *n);

#endif
