/* fingerprint_alike: the message, or the stack, of a report with other values in it, which comes to the same fingerprint; and the
 * pattern that all such texts fit. Reports that differ in a number, an address in memory, a UUID or another id of
 * hexadecimal digits are one here, byte by byte, at a small part of what a fingerprint costs. */
#ifndef SHUNT_CORE_FINGERPRINT_ALIKE_H
#define SHUNT_CORE_FINGERPRINT_ALIKE_H

#include "broker/core/fingerprint.h"
#include "broker/core/fingerprint_pattern.h"
#include "proto/limits.h"

#define ALIKE_BYTES_MAX 3800 /* of a stack; a longer one has a pattern without marks */

/* The text, and what ends each look before its beginning and behind its end. */
#define ALIKE_BEFORE_BYTES 8
#define ALIKE_AFTER_BYTES  16
struct alike {
    struct pattern pattern; /* what fits it is alike */
    char marks[ALIKE_BYTES_MAX];
    char bytes[ALIKE_BEFORE_BYTES + ALIKE_BYTES_MAX + ALIKE_AFTER_BYTES];
};
_Static_assert(ERROR_MESSAGE_BYTES_MAX <= ALIKE_BYTES_MAX, "a message has room");

/* As long as the message of `f`. It is that message itself, or lies in `ret`, as the text of the pattern does. */
struct slice fingerprint_alike(const struct fault *f, struct alike *ret);

/* The same of a stack, if the rest of the report stays as it is. `use` is what its fingerprint was made from. */
struct slice fingerprint_alike_stack(struct slice stack, const struct fault_use *use, struct alike *ret);

#endif
