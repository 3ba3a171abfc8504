/* sha256: the vectors of FIPS 180-2, appendix B. */
#include "tls/sha256.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(sha256, gives_what_the_standard_gives)
{
    static const char *const rows[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t hash[SHA256_BYTES];
        char text[2 * SHA256_BYTES + 1];
        cr_assert(sha256(rows[i][0], strlen(rows[i][0]), hash));
        for (size_t k = 0; k < sizeof hash; k++)
            (void)snprintf(text + 2 * k, 3, "%02x", hash[k]);
        cr_assert_str_eq(text, rows[i][1]);
    }
}
