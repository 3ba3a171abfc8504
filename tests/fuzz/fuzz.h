/* fuzz: what every fuzz target provides, and how it complains. */
#ifndef SHUNT_TESTS_FUZZ_FUZZ_H
#define SHUNT_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* One input. Called by libFuzzer, or by replay.c for each file of a corpus. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold for every input, whatever NDEBUG says. */
#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

#endif
