/* refuse: tells an HTTP client for whom there is no place that it is one too many, and closes it.
 *
 * The answer leaves at once. A socket that is closed while its peer's request lies unread sends a reset,
 * which may take the answer away again; so it is read a little longer, until the peer closes or
 * REFUSED_MS_MAX are over. One thread. */
#ifndef SHUNT_HTTP_REFUSE_H
#define SHUNT_HTTP_REFUSE_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#define REFUSED_MAX    8 /* still open, of whom the oldest goes first; server_private.h counts on few */
#define REFUSED_MS_MAX 1000
#define REFUSAL_BYTES  512 /* enough for any answer of this file */

/* The answer to one for whom there is no place beside the `served` others. Returns its length. */
size_t refusal_full(char to[REFUSAL_BYTES], unsigned served);

/* Tell a client that speaks plainly where TLS is spoken; its socket does not block. */
void refuse_plain_http(int fd);

struct refused {
    struct {
        int fd;
        int64_t until_ms;
    } list[REFUSED_MAX]; /* in the order in which they came */
    unsigned count;
};

/* Answer this client, whose socket does not block; takes `fd`. */
void refuse(struct refused *r, int fd, unsigned served, int64_t now_ms);

/* Fill in what to poll for; returns how many, at most REFUSED_MAX. */
unsigned refused_poll(const struct refused *r, struct pollfd *fds);
/* Read what came, and close those that are through. Returns how long until the next is, -1: there is none. */
int refused_tend(struct refused *r, int64_t now_ms);

void refused_done(struct refused *r); /* closes all */

#endif
