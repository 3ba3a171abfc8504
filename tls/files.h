/* files: certificates and keys as they lie on disk, in PEM, and what is refused of them. Both sides of a
 * connection read theirs here. */
#ifndef SHUNT_TLS_FILES_H
#define SHUNT_TLS_FILES_H

#include <openssl/ssl.h>
#include <stddef.h>

/* Of TLS 1.2 only what has forward secrecy and authenticated encryption; 1.3 has nothing else. */
#define TLS_CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"

/* Bytes that are enough for a reason. */
#define TLS_WHY_BYTES 512

/* Give `ctx` a certificate, with those that lead from it to an authority behind it in the file `cert`, and
 * its private key, which lies in `key`. The key's file must be closed to others: a group may read it if root
 * owns it, as with Debian's group ssl-cert. A key with a password is refused: nobody is there to be asked.
 * fails: BAD_ARGUMENT, IO, NO_MEMORY, with a sentence in `why` that names the file. */
int tls_read_own(SSL_CTX *ctx, const char *cert, const char *key, char *why, size_t why_bytes);

/* Let `ctx` trust the authorities whose certificates lie in the file `path`, and no others.
 * fails: the same. */
int tls_read_authorities(SSL_CTX *ctx, const char *path, char *why, size_t why_bytes);

#endif
