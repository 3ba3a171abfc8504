/* tls_caller: a client that speaks TLS, for tests of net; it moves when it is told to. */
#ifndef SHUNT_TESTS_TLS_CALLER_H
#define SHUNT_TESTS_TLS_CALLER_H

#include "tests/unit/net/fixture.h"
#include "tests/unit/tls/certs.h"
#include "tls/stream.h"

/* A client's end, and what it has read. */
struct caller {
    int fd;
    struct tls_stream tls;
    uint8_t *got;
    size_t size;
    bool deaf;  /* reads nothing of the socket */
    bool ended; /* the socket did */
};

/* Connect; the ClientHello waits to be sent. */
void caller_call(struct fixture *f, const struct certs *certs, struct caller *c);
/* Call, and say HELLO; returns when the engine has heard it. */
void caller_greet(struct fixture *f, const struct certs *certs, struct caller *c);
/* Queue these frames. */
void caller_say(struct caller *c, const struct mpack_buffer *b);
/* Send what there is and receive what comes, both as far as it goes now; then a turn of the loop. */
void caller_step(struct fixture *f, struct caller *c);
#define step_until(f, c, condition)                                                                          \
    while (!(condition))                                                                                     \
    caller_step(f, c)
void caller_hang_up(struct caller *c);

#endif
