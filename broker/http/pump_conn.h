/* pump_conn: one connection of the pump, and its bytes in both directions.
 *
 *     ARRIVING ── handshake done, let in ──→ OPEN ── libmicrohttpd has ended its side, ──→ LEAVING ── all is sent, and the ──→ CLOSED
 *        │                                    │      or what came is no TLS                  ↑        client's end came
 *        └── no place, not TLS, failed ───────┼──────────────────────────────────────────────┘
 *                                             └── the socket is lost ──→ CLOSED (from any)
 *
 * Nothing here waits, and nothing is decided: what a step came to is told to its caller. The pump's thread. */
#ifndef SHUNT_HTTP_PUMP_CONN_H
#define SHUNT_HTTP_PUMP_CONN_H

#include "base/ring.h"
#include "tls/stream.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct tls_context;

#define PUMP_IN_BYTES (16u * 1024) /* read of a socket at a time; kept if the pair has no room */
#define PUMP_OUT_BYTES                                                                                       \
    (32u * 1024) /* read of a pair at a time, and not again before the socket has taken them */
#define PUMP_PAIR_BYTES (64u * 1024) /* that wait in the kernel in each direction of a pair */
/* Of what waits to be sent; above it the client is not read: it makes us answer (new keys, refused handshakes) and reads nothing. */
#define PUMP_UNSENT_BYTES_MAX (2 * PUMP_OUT_BYTES)

enum pump_state { PUMP_ARRIVING, PUMP_OPEN, PUMP_LEAVING, PUMP_CLOSED };

/* A descriptor that epoll may name. */
#define PUMP_WATCH_MAGIC 0x5ad1c6e7u
struct pump_watch {
    uint32_t magic;
    struct pump_conn *conn; /* NULL: one of the pump's own */
    int fd;                 /* -1: closed, or not there yet */
    int epoll_fd;           /* that watches it; -1: none does */
    uint32_t events;        /* that it is watched for */
};

struct pump_conn {
    struct ring link; /* with those of the same state */
    enum pump_state state;
    struct pump_watch socket, pair;
    struct tls_stream tls;
    uint8_t *held; /* plain bytes that the pair had no room for, or NULL */
    size_t held_at, held_bytes;
    uint64_t sent_bytes;
    bool socket_ended; /* the client has: nothing comes any more */
    bool in_over;      /* libmicrohttpd is given nothing any more */
    bool goodbye;      /* close_notify is behind everything that is to be sent */
    bool out_over;     /* and that was sent, and FIN */
    int64_t since_ms;  /* ARRIVING: when it came. LEAVING: when it took something last, or was through */
    struct sockaddr_storage from;
    socklen_t from_bytes;
};

/* What new connections are met with. */
struct pump_tls {
    pthread_mutex_t lock;
    struct tls_context *context;
};

/* Room for one step; its thread's. */
struct pump_room {
    uint8_t in[PUMP_IN_BYTES], plain[PUMP_IN_BYTES], out[PUMP_OUT_BYTES];
};

/* What a step came to. */
enum pump_step {
    PUMP_GOES_ON,
    PUMP_IS_IN,     /* ARRIVING: its handshake is done */
    PUMP_IS_PLAIN,  /* ARRIVING: its first byte is not of TLS */
    PUMP_FAILED,    /* tls.why says why, and an alert that says so waits to be sent */
    PUMP_IS_SERVED, /* OPEN: libmicrohttpd has ended its side */
    PUMP_IS_DONE,   /* LEAVING: nothing is left to be done */
    PUMP_IS_LOST,   /* nothing can be sent or received any more */
    PUMP_NO_MEMORY,
};

/* ARRIVING. NULL: there is no memory, and `fd` is still the caller's. */
struct pump_conn *pump_conn_new(int fd, const struct sockaddr_storage *from, socklen_t from_bytes,
                                int64_t now_ms);
/* Closes what it has. */
void pump_conn_free(struct pump_conn *c);

/* Go on with it as far as one turn goes; `hung_up`: libmicrohttpd has ended its side of the pair. */
enum pump_step pump_conn_step(struct pump_conn *c, struct pump_tls *tls, struct pump_room *room, bool hung_up,
                              int64_t now_ms);

/* ARRIVING → OPEN, with this end of a pair. */
void pump_conn_open(struct pump_conn *c, int pair_fd);
/* → LEAVING: nothing of the client is taken any more. */
void pump_conn_leave(struct pump_conn *c, int64_t now_ms);
/* Close the end of the pair. */
void pump_conn_end_pair(struct pump_conn *c);
/* Have epoll watch for what it waits for: while ARRIVING that of `arriving_fd`, then of `epoll_fd`. False: the kernel cannot. */
bool pump_conn_watch(struct pump_conn *c, int epoll_fd, int arriving_fd);

#endif
