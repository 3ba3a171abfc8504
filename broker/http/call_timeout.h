/* call_timeout: how long the client of a call waits for it: a header of HTTP, which becomes WITHIN of the protocol. */
#ifndef SHUNT_HTTP_CALL_TIMEOUT_H
#define SHUNT_HTTP_CALL_TIMEOUT_H

#include "broker/http/problem.h"
#include "proto/mpack.h"
#include <stdbool.h>
#include <stdint.h>

#define CALL_TIMEOUT_HEADER "X-Shunt-Timeout-Ms"
#define CALL_TIMEOUT_MS_MAX 86400000u /* a day: far longer than any call waits */

#define CALL_TIMEOUT_MAGIC 0x5be81c29u
/* All zero but the magic: nothing was read yet. */
struct call_timeout {
    uint32_t magic;
    unsigned seen;
    uint64_t ms; /* 0: the client does not say */
    bool bad;
    int64_t since_ms; /* mono, when the headers were there */
};

struct MHD_Connection;

/* Read the headers of a request, which have just come. */
void call_timeout_read(struct call_timeout *t, struct MHD_Connection *connection);
/* Read one of them; other ones are passed over. */
void call_timeout_header(struct call_timeout *t, const char *name, const char *value);
/* False: what was said is no time, or cannot be said of this call (`fits` false), which `*ret` tells. */
bool call_timeout_is_good(const struct call_timeout *t, bool fits, struct problem *ret);
/* Put the request in the frame, which is all that the buffer has, into a WITHIN, as of `now_ms` (mono). A request whose time is over
 * goes to the engine as well, which refuses and counts it. False without memory: the buffer has failed. */
bool call_timeout_wrap(const struct call_timeout *t, int64_t now_ms, struct mpack_buffer *frame);

#endif
