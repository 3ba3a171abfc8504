/* pump_rig: a pump, clients that speak TLS with it, and their other ends, which libmicrohttpd would have. Both ends block. */
#ifndef SHUNT_TESTS_PUMP_RIG_H
#define SHUNT_TESTS_PUMP_RIG_H

#include "broker/http/pump.h"
#include "tests/unit/tls/certs.h"
#include <pthread.h>
#include <stdatomic.h>

#define RIG_SERVED_MAX 256

struct rig {
    struct certs certs;
    struct tls_context *context, *renewed;
    struct pump *pump;
    int listen_fd;
    bool narrow;                      /* clients have next to no room for what comes */
    _Atomic unsigned dialled, handed; /* connected; taken by the pump */
    pthread_mutex_t lock;             /* of what follows */
    pthread_cond_t changed;
    int served[RIG_SERVED_MAX]; /* the ends of those that were let in */
    unsigned served_count, taken;
    bool full; /* there is no place for anybody */
    bool gate; /* who is to be let in waits */
    unsigned at_gate;
    unsigned events[HTTP_NO_MEMORY + 1];
    char peer[64], why[512]; /* of the last of them */
    char name[64];           /* the first of the certificate of the last that was let in */
};

struct client {
    int fd;
    SSL *ssl;
};

void rig_start(struct rig *r, enum tls_client_auth auth, unsigned handshakes, int64_t handshake_ms);
/* Close the door, and end it within so many ms. */
void rig_stop(struct rig *r, int64_t wait_ms);
/* What is not stopped yet, and what is left. */
void rig_done(struct rig *r);

/* Connect, and hand the other end to the pump. */
int rig_dial(struct rig *r);
/* The same, and do the handshake; `shows`: a certificate, or NULL. */
struct client client_call(struct rig *r, const struct cert_files *shows);
/* The handshake alone. */
struct client client_shake(struct rig *r, int fd, const struct cert_files *shows);
void client_hang_up(struct client *c);
/* The end of the next that was let in; waits for it. */
int rig_served(struct rig *r);
/* Wait until so many of these were reported. */
void rig_reported(struct rig *r, enum http_event event, unsigned count);
unsigned rig_events(struct rig *r, enum http_event event);
void rig_gate(struct rig *r, bool closed);
void rig_wait_at_gate(struct rig *r);

void client_say(struct client *c, const void *bytes, size_t size);
/* Read so many; less if its end comes. */
size_t client_hear(struct client *c, void *to, size_t size);
/* Read on; true if nothing comes but close_notify. */
bool client_is_told_the_end(struct client *c);

#endif
