/* secret: comparing and wiping. */
#include "base/secret.h"

#include <stdint.h>
#include <string.h>

bool secret_equal(const void *a, const void *b, size_t size)
{
    const volatile uint8_t *x = a, *y = b; /* so that no compiler makes a memcmp() of it, or stops early */
    uint8_t differ = 0;
    for (size_t i = 0; i < size; i++)
        differ |= x[i] ^ y[i];
    return (differ - 1) >> 8 & 1;
}

void secret_wipe(void *bytes, size_t size)
{
    if (size) /* of nothing there may be no bytes */
        explicit_bzero(bytes, size);
}

void secret_wipe_lent(const void *bytes, size_t size)
{
    if (size) /* it was ours to write before it was lent */
        explicit_bzero((void *)(uintptr_t)bytes, size);
}
