/* fixture: net on a loop of its own, with a scripted engine, and plain sockets as clients; all on one thread.
 */
#ifndef SHUNT_TESTS_NET_FIXTURE_H
#define SHUNT_TESTS_NET_FIXTURE_H

#include "broker/net/net.h"
#include "tests/unit/net/port_stub.h"

#define EVENTS_MAX 16

struct fixture {
    uv_loop_t loop;
    uv_timer_t guard; /* ends a test that waits for what never comes */
    struct flow_totals totals;
    struct net *net;
    struct sockaddr_storage address;
    struct mpack_buffer frames; /* all frames posted, in order */
    struct link *link;          /* of the first connection that posted; a reference */
    unsigned posts, ended, broken, lost, drained_posts, room_posts;
    unsigned closed;                  /* of the lost: by the server */
    unsigned caught_up, posts_before; /* answers to engine_asks(), and the posts before the last of them */
    int64_t asked_ms;                 /* as that one says */
    int64_t received_ms;              /* of the last post */
    bool full;
    const struct link *full_for; /* or for this one alone */
    bool silent;                 /* a bad frame, or the end, is not answered: what came before it waits */
    struct outbox_item *outbox, *outbox_tail;
    unsigned events[EVENTS_MAX];
    unsigned left_to_serve; /* rounds of the loop that posted something */
    bool drain_done;
};

/* Start listening with these limits (NULL: generous ones). */
void fixture_start(struct fixture *f, const struct net_limits *limits);
/* The same, and clients speak TLS with `tls`, which is lent; NULL: plainly. */
void fixture_start_tls(struct fixture *f, const struct net_limits *limits, struct tls_context *tls);
/* The same, and local clients come through `unix_fd`, which it takes; -1: none do. */
void fixture_start_all(struct fixture *f, const struct net_limits *limits, struct tls_context *tls,
                       int unix_fd);
/* Take it all down and check that nothing is left. */
void fixture_stop(struct fixture *f);
struct net_limits fixture_limits(void);

/* One turn of the loop, blocking at most until the guard. */
void fixture_turn(struct fixture *f);
#define fixture_until(f, condition)                                                                          \
    while (!(condition))                                                                                     \
    fixture_turn(f)

/* A connected, non-blocking socket. */
int client_connect(const struct fixture *f);
/* Send all, turning the loop as needed. False if the peer closed. */
bool client_send(struct fixture *f, int fd, const void *bytes, size_t size);
/* Receive until the peer closes or `size` bytes are there; returns how many came. */
size_t client_receive(struct fixture *f, int fd, void *to, size_t size);
/* Receive one ERROR frame and the end of the stream; returns the code, -1 if anything else came. */
int client_receive_error(struct fixture *f, int fd, uint64_t *ret_request_id);

/* Send a HELLO. */
void client_hello(struct fixture *f, int fd);
/* Connect and send a HELLO; returns once the engine has heard it. */
int client_greet(struct fixture *f);

void write_hello(struct mpack_buffer *b, uint64_t request_id);
/* A PUBLISH-like frame whose last field is `size` bytes of `fill`. */
void write_frame(struct mpack_buffer *b, uint64_t request_id, size_t size, uint8_t fill);

/* Ask about the connection, as when a lease of it is over. */
void engine_asks(struct fixture *f, int64_t ask_ms);
/* Ask to be told when its client has read enough; nothing is read of it until then. */
void engine_waits(struct fixture *f, enum flow_ask ask);
/* Put `size` bytes into the outbox for the connection and notify. */
void engine_says(struct fixture *f, size_t size, bool close);

#endif
