/* negotiate: which of the two formats of the metrics page the Accept headers of a request ask for (RFC
 * 9110, 12.5.1), and whether it takes what is compressed (12.5.3). */
#ifndef SHUNT_HTTP_NEGOTIATE_H
#define SHUNT_HTTP_NEGOTIATE_H

#include "broker/http/metrics.h"

/* What was read so far. All zero: no Accept header yet. */
#define NEGOTIATION_MAGIC 0xb83af70au
struct negotiation {
    uint32_t magic;         /* of who lets a library carry it */
    unsigned openmetrics_q; /* weights in thousandths, 0: not wanted */
    unsigned plain_q;
    unsigned plain_rank; /* how closely that range named the plain format; 0: none did */
};

/* Read the value of one Accept header. What is not understood is passed over. */
void negotiate_read(struct negotiation *n, const char *accept);

/* OpenMetrics if a header names it, in version 1.0.0 or without one, and rates it no lower than the plain
 * format. */
enum metrics_format negotiate_format(const struct negotiation *n);

/* True if a header Accept-Encoding with this value takes gzip; NULL: there is none, and it takes nothing of the kind. */
bool negotiate_gzip(const char *accept_encoding);

struct MHD_Connection;

/* The format that the headers Accept of a request choose. */
enum metrics_format negotiate_asked(struct MHD_Connection *connection);

#endif
