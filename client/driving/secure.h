/* secure: TLS on a socket of the client's. The broker's certificate must be good, and for the host of the URL; there
 * is no way to leave that out. */
#ifndef SHUNT_CLIENT_DRIVING_SECURE_H
#define SHUNT_CLIENT_DRIVING_SECURE_H

#include "client/driving/url.h"
#include <sys/uio.h>

struct secure;

/* Look whether the files of `tls` can be used.
 * fails: BAD_ARGUMENT, IO, NO_MEMORY, with a sentence. */
int secure_check(const struct url_tls *tls, struct shunt_error *err);

/* For a connection to `host` (a name or an address); the files are read. Nothing is sent yet.
 * fails: the same. */
int secure_new(const struct url_tls *tls, const char *host, struct secure **ret, struct shunt_error *err);
/* Says nothing to the broker. Takes NULL. */
void secure_free(struct secure *t);

/* What came of a call: `size` bytes, now or later; LATER: the socket must become readable, or, if secure_has_output(),
 * writable. */
enum secure_got { SECURE_DONE, SECURE_LATER, SECURE_ENDED, SECURE_BROKEN };

/* Go on with the handshake on `fd`. DONE, LATER, or BROKEN with why in `err`. */
enum secure_got secure_shake(struct secure *t, int fd, struct shunt_error *err);
/* DONE with 1 to `size` bytes, LATER, ENDED, or BROKEN. */
enum secure_got secure_read(struct secure *t, int fd, void *to, size_t size, size_t *ret,
                            struct shunt_error *err);
/* Take bytes of `pieces`, unless there is output: DONE with how many. They are on their way, and have reached the
 * socket when there is no output any more. */
enum secure_got secure_write(struct secure *t, int fd, const struct iovec *pieces, int count, size_t *ret,
                             struct shunt_error *err);
/* Send what there is: DONE, LATER or BROKEN. */
enum secure_got secure_flush(struct secure *t, int fd, struct shunt_error *err);
bool secure_has_output(const struct secure *t);
/* secure_read() has something though nothing comes. */
bool secure_has_input(const struct secure *t);
/* Say that nothing follows, as far as the socket takes it. */
void secure_end(struct secure *t, int fd);

#endif
