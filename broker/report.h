/* report: log lines about connections and consumers, at most REPORT_LINES_MAX in a window, so that no peer
 * fills the disk with log. */
#ifndef SHUNT_BROKER_REPORT_H
#define SHUNT_BROKER_REPORT_H

#include "broker/engine/engine.h"
#include "broker/log.h"
#include "broker/net/net.h"

#define REPORT_LINES_MAX 60
#define REPORT_WINDOW_MS 60000

struct report {
    const struct log *log;
    int64_t window_ms;   /* when the window began */
    uint32_t lines;      /* written in it */
    uint64_t suppressed; /* not written */
};

/* One line for an event of net, unless too many came before; opening and closing only at level debug. */
void report_net(struct report *r, int64_t now_ms, enum net_event event, const char *peer, const char *text);

/* One line for a consumer that let a lease run out and says nothing, or is heard again; limited in the same
 * way. */
void report_consumer(struct report *r, const struct consumer_notice *notice);

#endif
