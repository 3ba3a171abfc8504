/* secret: comparing and wiping. How comparing is done is the matter of tests/unit/login/secret_trace.py. */
#include "base/secret.h"

#include <criterion/criterion.h>
#include <string.h>

Test(secret, bytes_are_the_same_only_if_each_is)
{
    unsigned char a[64], b[64];
    memset(a, 0x5a, sizeof a);
    memset(b, 0x5a, sizeof b);
    cr_assert(secret_equal(a, b, sizeof a));
    cr_assert(secret_equal(a, b, 0));
    for (size_t i = 0; i < sizeof a; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            b[i] ^= (unsigned char)(1u << bit);
            cr_assert_not(secret_equal(a, b, sizeof a), "byte %zu, bit %u", i, bit);
            b[i] ^= (unsigned char)(1u << bit);
        }
    }
}

Test(secret, what_is_wiped_is_gone)
{
    char text[32] = "a password";
    secret_wipe(text, sizeof text);
    for (size_t i = 0; i < sizeof text; i++)
        cr_assert_eq(text[i], 0);
}
