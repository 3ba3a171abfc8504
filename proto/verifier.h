/* verifier: what a password is verified by, as text: the PHC string of Argon2id,
 *
 *     $argon2id$v=19$m=65536,t=3,p=1$SALT$HASH
 *
 * salt and hash in base64 without padding. The client that sets a password makes it of the password, which therefore never reaches a
 * server that only keeps it; what it costs to verify is bounded here, because the server pays it at each login.
 */
#ifndef SHUNT_PROTO_VERIFIER_H
#define SHUNT_PROTO_VERIFIER_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define VERIFIER_MEMORY_KIB_MIN 19456u /* with t=2, the least that is recommended for passwords */
#define VERIFIER_MEMORY_KIB_MAX 262144u
#define VERIFIER_PASSES_MIN     2u
#define VERIFIER_PASSES_MAX     10u
#define VERIFIER_LANES_MAX      4u
#define VERIFIER_SALT_BYTES_MIN 16u
#define VERIFIER_SALT_BYTES_MAX 64u
#define VERIFIER_HASH_BYTES     32u

/* m times t of a password that one sets oneself, which is what the tool takes; administrators may set up to the bounds above. Otherwise
 * somebody without any right could keep the threads that verify passwords busy by a few wrong logins. */
#define VERIFIER_OWN_COST_MAX (65536u * 3)

/* What it says; the texts lie in it. */
struct verifier {
    uint32_t memory_kib, passes, lanes;
    struct slice salt, hash; /* base64 */
};

/* False, and why in a sentence (static), if it is none, or is out of these bounds. `ret` may be NULL. */
bool verifier_parse(struct slice text, struct verifier *ret, const char **ret_why);
bool verifier_is_valid(struct slice text, const char **ret_why);

#endif
