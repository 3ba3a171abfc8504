/* connection_log: log lines about connections and consumers, at most CONNECTION_LOG_LINES_MAX in a window, so
 * that no peer fills the disk with log. */
#ifndef SHUNT_BROKER_CONNECTION_LOG_H
#define SHUNT_BROKER_CONNECTION_LOG_H

#include "broker/engine/engine.h"
#include "broker/log.h"
#include "broker/net/net.h"

#define CONNECTION_LOG_LINES_MAX 60
#define CONNECTION_LOG_WINDOW_MS 60000

struct connection_log {
    const struct log *log;
    int64_t window_ms;   /* when the window began */
    uint32_t lines;      /* written in it */
    uint64_t suppressed; /* not written */
};

/* One line for an event of net, unless too many came before; opening and closing only at level debug. */
void connection_log_net(struct connection_log *r, int64_t now_ms, enum net_event event, const char *peer,
                        const char *text);

/* One line for a consumer that let a lease run out and says nothing, or is heard again; limited in the same
 * way. */
void connection_log_consumer(struct connection_log *r, const struct consumer_notice *notice);

/* One line for somebody who could not log in; limited in the same way. */
void connection_log_login(struct connection_log *r, const struct login_notice *notice);

/* One line for an address or a user that has reached what it may have; limited in the same way. */
void connection_log_limit(struct connection_log *r, const struct limit_notice *notice);

#endif
