/* secret: bytes that nobody may learn by how long something takes, or find in memory later. */
#ifndef SHUNT_BASE_SECRET_H
#define SHUNT_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Whether `size` bytes are the same. It takes as long wherever they differ: each byte is looked at, and no branch depends on one. */
bool secret_equal(const void *a, const void *b, size_t size);

/* Overwrite them; the compiler does not leave it out. */
void secret_wipe(void *bytes, size_t size);

/* The same of bytes that are lent as constant, and are nobody else's: the last who looks at them wipes them. `bytes` may be NULL with 0. */
void secret_wipe_lent(const void *bytes, size_t size);

#endif
