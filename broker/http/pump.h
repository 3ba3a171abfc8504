/* pump: HTTPS. Carries bytes between the sockets of clients that speak TLS and pairs of sockets whose other ends libmicrohttpd takes
 * for its clients.
 *
 *     client ══ TLS ══ socket ── tls_stream ── pair ══ plain ══ libmicrohttpd
 *
 * libmicrohttpd sees a client when its handshake is done, and not before. What it does with a connection (time-outs, end, shutdown) is done
 * to the pair, and the pump does the same to the socket once everything that was said before has left; the other way round, a client that
 * has ended its side is one that has ended its side of the pair. Neither direction is read while the other end does not take what was read.
 * Bounded: connections whose handshake is not done (their number, and the time of each), those that are open (by peers.h), those that
 * libmicrohttpd is done with (PUMP_LEAVING_MAX), and the bytes of each.
 *
 * One thread. */
#ifndef SHUNT_HTTP_PUMP_H
#define SHUNT_HTTP_PUMP_H

#include "broker/http/http.h"
#include <stdbool.h>
#include <sys/socket.h>

#define PUMP_LEAVING_MAX 32    /* that are to read the end of their answer; one more ends the oldest */
#define PUMP_LEAVE_MS    10000 /* one may take none of its answer for so long */
#define PUMP_LINGER_MS   1000  /* until its own end must have come, once its answer has left */
#define PUMP_GONE_MS     30000 /* without a packet from a client's machine that has some to confirm */
#define PUMP_WAITING_MAX 64    /* accepted, and not looked at yet; the next accept waits */

struct pump;
struct tls_context;

struct pump_config {
    struct tls_context *tls; /* lent until pump_tls_set() or the end */
    struct http_handshakes handshakes;
    unsigned served; /* for how many there is a place; those without are told */
    /* Hand this end of a pair to libmicrohttpd, as a connection from `from`, whose certificate carries `names` (tls/peer_names.h; NULL: it showed none). Takes both if
     * there is a place; false: there is none, and they are still the pump's. Not called after pump_close_door(). */
    bool (*let_in)(void *context, int fd, const struct sockaddr *from, socklen_t from_bytes, char *names);
    void *let_in_context;
    void (*report)(void *context, enum http_event event, const char *peer,
                   const char *why); /* as in http.h; NULL: nobody is told */
    void *report_context;
};

/* Start its thread. fails: IO, NO_MEMORY. */
int pump_start(const struct pump_config *config, struct pump **ret);

/* Take a socket that was accepted and does not block, in any case. Waits while PUMP_WAITING_MAX others do. Any thread. */
void pump_take(struct pump *p, int fd, const struct sockaddr_storage *from, socklen_t from_bytes);

/* Clients whose first bytes come from now on are met with `tls`. Any thread. */
void pump_tls_set(struct pump *p, struct tls_context *tls);
/* From now on. Any thread. */
void pump_handshakes_set(struct pump *p, const struct http_handshakes *handshakes);

/* Nobody else is let in, and those whose handshake is not done are closed. */
void pump_close_door(struct pump *p);
/* End it after pump_close_door(), once libmicrohttpd has ended: what it said is sent, for `wait_ms` at most. Takes NULL. */
void pump_stop(struct pump *p, int64_t wait_ms);

#endif
