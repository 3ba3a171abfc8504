/* net_private: what the files of this folder share. */
#ifndef SHUNT_NET_NET_PRIVATE_H
#define SHUNT_NET_NET_PRIVATE_H

#include "base/magic.h"
#include "base/ring.h"
#include "broker/flow/flow.h"
#include "broker/flow/quota.h"
#include "broker/net/net.h"
#include "broker/net/reader.h"

struct conn;
struct visitor;

/* Accepts on its own descriptor, not through uv_listen(): libuv loops for ever inside one callback when
 * accept() keeps failing for want of descriptors and its spare one was lost. */
struct listener {
    uint32_t magic; /* LISTENER_MAGIC */
    struct net *net;
    bool local; /* it listens at a path of this machine: no TLS, and the peer's user is known */
    bool made;  /* its handles are open */
    uv_poll_t poll;
    uv_timer_t retry;
    int64_t window_ms; /* when the present window began */
    uint64_t accepted; /* in it */
    int fd;            /* -1 once closed */
    int spare_fd; /* given up to accept and turn away one peer when there are no descriptors; -1 if lost */
};

#define LISTENER_MAGIC 0x6c697374u
enum { LISTENER_TCP, LISTENER_UNIX, LISTENERS };

struct net {
    uint32_t magic;
    struct net_config config;
    struct listener listeners[LISTENERS];
    uv_async_t async;
    uv_timer_t tick;
    uv_prepare_t prepare; /* at the beginning of each round of the loop */
    uv_check_t check;     /* when all sockets that could be read in it were */
    bool reading;         /* between the two */
    bool late;            /* what is read in this round may have lain in its socket for long */
    int64_t read_all_ms;  /* when all that could be read last was */
    bool soon;            /* items were posted meanwhile */
    struct reader_pool pool;
    struct ring conns;      /* all, by conn.all; the oldest first, as what becomes free goes to them first */
    struct ring resting;    /* those that are looked at in the next round, by conn.turn */
    struct ring no_room;    /* those that wait for room in the inbox or for memory, by conn.turn */
    struct ring unread;     /* those that wait for their client, or for others' bytes to go, by conn.wait */
    struct ring handshakes; /* of TLS, under way; the oldest first, by conn.shakes */
    uint64_t shaking;       /* their number */
    uint64_t shake_round;   /* the round in which some got on, */
    unsigned shaken;        /* and how many */
    uint8_t *tls_input;     /* what comes encrypted is read to here; NULL before the first */
    uint64_t round;         /* of the loop: its number */
    uint64_t count;         /* of conns */
    struct quota_table addresses; /* what each has connected, while there is a limit on that */
    uint64_t next_id;
    _Atomic(struct visitor *) visitors; /* of this process, not let in yet; any thread adds */
    unsigned handles;                   /* of this object, not yet closed */
    int64_t memory_short_ms; /* when a connection last had to wait for memory for its frame; 0: never */
    bool tight;              /* so much waits to be sent that clients may have to go: ticks are quick */
    bool detached;           /* the engine is gone */
    bool freeing;
    int64_t tick_ms;        /* when timeouts were last looked at */
    int64_t drain_until_ms; /* 0: not draining */
    void (*drained)(void *context);
    void *drained_context;
};

#define NET_MAGIC 0x6e657477u

/* The object that a handle of libuv belongs to. */
static inline struct net *net_of(void *data)
{
    return magic_of(data, net, NET_MAGIC);
}

/* ---- net_private.c: services, for all files of this folder ---- */

/* How often timeouts are looked at: a quarter of the shortest, at most a second. */
int64_t net_tick_ms(const struct net_limits *limits);
int64_t net_now_ms(const struct net *n);
struct flow_limits net_flow_limits(const struct net *n);
size_t net_waiting(const struct net *n); /* for clients, on all connections */
/* Somebody goes on when less than this waits, or is unsent: net_round() looks, and the engine wakes the loop for
 * it. `mark` is of flow_totals. */
void net_goes_on_below(_Atomic size_t *mark, size_t bytes);
void net_report(struct net *n, enum net_event event, const char *peer, const char *text);
void net_post(struct net *n, struct inbox_item *item);
/* Called by a connection that is gone. Says once that the last of a drain is. */
void net_conn_gone(struct net *n);
void net_drain_step(struct net *n); /* says so, if it is */
/* Called when a handle of the object (not of a connection) is closed. */
void net_handle_closed(struct net *n);

/* ---- door.c ---- */

/* Make connections of those that net_connect() made; once detached, close them. */
void door_let_in(struct net *n);

/* ---- evict.c ---- */

/* Close peers that read nothing while more waits for all than may. */
void evict(struct net *n, int64_t now_ms);

/* ---- listener.c ---- */

/* Takes the descriptors of the configuration over. fails: IO; some may have handles then. */
int listener_init(struct net *n);
/* Forget the descriptors: they are the caller's again. */
void listener_leave(struct net *n);
int listener_start(struct net *n);
/* Accept some of those who wait in the kernel's queues, whatever the rate. */
void listener_empty(struct net *n);
void listener_stop(struct net *n);
/* Close its handles; net_handle_closed() is called for each. */
void listener_close(struct net *n);

#endif
