/* reconnect: which host is tried next, and when. Pure, as all of wire: a simulation has thousands of them.
 *
 * Each wait is a random time up to a bound that grows to `reconnect-max`, so that clients that lost one broker at one moment
 * come back spread over that time. A broker that asks to be left alone for a while (`retry_after_ms`) is, and what is
 * random comes on top: then nobody waits longer than twice the bound's maximum.
 */
#ifndef SHUNT_CLIENT_WIRE_RECONNECT_H
#define SHUNT_CLIENT_WIRE_RECONNECT_H

#include "client/wire/backoff.h"
#include <stdbool.h>
#include <stddef.h>

struct reconnect {
    struct backoff backoff;
    size_t hosts;
    size_t host;      /* which of them is the one in use */
    size_t tried;     /* hosts in a row to which there was no connection */
    int64_t since_us; /* when the connection was greeted; 0: there is none */
};

void reconnect_init(struct reconnect *r, size_t hosts, int64_t min_ms, int64_t max_ms);
/* Begin with any of the hosts, so that clients spread over them. */
void reconnect_choose(struct reconnect *r, struct random *random);
/* A connection stands, and is greeted. */
void reconnect_succeeded(struct reconnect *r, int64_t now_us);
/* The attempt failed or the connection broke; `retry_after_ms`: for so long this host wants to be left alone, 0 if it said nothing.
 * It is the next host's turn. Returns the wait until that, in us. */
int64_t reconnect_failed(struct reconnect *r, struct random *random, int64_t retry_after_ms, int64_t now_us);

#endif
