/* peer_names: what the certificate that a peer showed calls it. */
#ifndef SHUNT_TLS_PEER_NAMES_H
#define SHUNT_TLS_PEER_NAMES_H

#include "tls/stream.h"

#define PEER_NAMES_MAX      32  /* further ones are passed over */
#define PEER_NAME_BYTES_MAX 256 /* with its kind; a longer one is passed over */

/* The names in a certificate: `dns:`, `email:` and `uri:` from its subject
 * alternative names, then `cn:` from its subject. Each ends with a zero byte, and an empty one ends them all. A name that holds a zero byte
 * itself, or a control character, is passed over: it was made to be read in two ways.
 * owns:  the caller frees it. NULL: there are none.
 * fails: `*ret_no_memory`. */
char *tls_certificate_names(X509 *cert, bool *ret_no_memory);

/* A copy of such names, the caller's to free. NULL of NULL, and without memory: then `*ret_no_memory`. */
char *tls_names_copy(const char *names, bool *ret_no_memory);

/* Those of the peer of an OPEN stream, if it showed a certificate and that was found good. */
char *tls_peer_names(const struct tls_stream *s, bool *ret_no_memory);

#endif
