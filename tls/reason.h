/* reason: why OpenSSL failed, in a sentence that says what to look at. */
#ifndef SHUNT_TLS_REASON_H
#define SHUNT_TLS_REASON_H

#include <openssl/ssl.h>
#include <stddef.h>

/* Bytes that are enough for one. */
#define TLS_REASON_BYTES 192

/* Write why the latest call on this thread failed into `to`, and empty the thread's queue of errors, which
 * belongs to the whole program. `ssl`: of which connection, if it was one; may be NULL. */
void tls_reason(const SSL *ssl, char *to, size_t size);

#endif
