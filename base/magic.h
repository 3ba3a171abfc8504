/* magic: who hands an object to a library as `void *` knows it again when it comes back (Varnish, miniobj.h).
 *
 * The object's first field is `uint32_t magic`; it holds its own number while the object lives, and 0 from
 * then on.
 */
#ifndef SHUNT_BASE_MAGIC_H
#define SHUNT_BASE_MAGIC_H

#include "base/check.h"

#include <stdint.h>

static inline void *magic_checked(const void *object, uint32_t magic, const char *what, const char *file,
                                  int line)
{
    if (!object || *(const uint32_t *)object != magic)
        check_failed(what, file, line);
    return (void *)(uintptr_t)object; /* as constant as the caller wants it */
}

/* The `struct type` that `object`, a `void *`, must be. */
#define magic_of(object, type, number)                                                                       \
    ((struct type *)magic_checked((object), (number), "struct " #type, __FILE__, __LINE__))

#endif
