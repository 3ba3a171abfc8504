/* secret_trace: secrets are told to valgrind as bytes that were never written, and compared as the server compares them. It reports each branch
 * and each address that depends on such a byte: a comparison that stops at the first difference does, one that looks at all does not.
 * With `plant` they are compared by memcmp()'s way, which must be reported. */
#include "base/secret.h"

#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#define BYTES 32

static bool by_stopping_early(const unsigned char *a, const unsigned char *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (a[i] != b[i])
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    bool plant = argc > 1 && strcmp(argv[1], "plant") == 0;
    unsigned char kept[BYTES] = {1, 2, 3}, shown[BYTES] = {1, 2, 4};
    if (!RUNNING_ON_VALGRIND)
        return 2;
    VALGRIND_MAKE_MEM_UNDEFINED(kept, sizeof kept);
    bool same = plant ? by_stopping_early(kept, shown, BYTES) : secret_equal(kept, shown, BYTES);
    VALGRIND_MAKE_MEM_DEFINED(&same, sizeof same); /* the verdict itself is told */
    return puts(same ? "the same" : "different") < 0;
}
