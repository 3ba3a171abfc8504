/* The number of a fault: equal for one fault, whatever values its reports name. */
#include "broker/core/fingerprint.h"

#include <criterion/criterion.h>
#include <strings.h>

static uint64_t of_error(const char *type, const char *message)
{
    return fingerprint_of(&(struct fault){.reason = DEAD_MAX_ATTEMPTS,
                                          .outcome = ATTEMPT_NACKED,
                                          .type = slice_of(type),
                                          .message = slice_of(message)});
}

Test(fingerprint, values_do_not_count_and_types_do)
{
    cr_assert_eq(of_error("ValueError", "order 17 is bad"), of_error("ValueError", "order 4711 is bad"));
    cr_assert_neq(of_error("ValueError", "order 17 is bad"), of_error("KeyError", "order 17 is bad"));
    cr_assert_neq(of_error("ValueError", "order 17 is bad"), of_error("ValueError", "order 17 is late"));
}

Test(fingerprint, without_an_error_the_end_names_the_fault)
{
    uint64_t seen[DEAD_REASONS + 2];
    size_t count = 0;
    for (unsigned i = 0; i < DEAD_REASONS; i++) {
        seen[count++] =
            fingerprint_of(&(struct fault){.reason = (enum dead_reason)i, .outcome = ATTEMPT_LEASE_EXPIRED});
    }
    seen[count++] =
        fingerprint_of(&(struct fault){.reason = DEAD_MAX_ATTEMPTS, .outcome = ATTEMPT_DISCONNECTED});
    cr_assert_eq(seen[DEAD_REJECTED], seen[DEAD_MAX_ATTEMPTS]);
    for (size_t i = DEAD_MAX_ATTEMPTS; i < count; i++) {
        for (size_t k = DEAD_MAX_ATTEMPTS; k < i; k++)
            cr_assert_neq(seen[i], seen[k], "%zu and %zu", i, k);
    }
}

Test(fingerprint, is_written_as_sixteen_digits_and_read_back)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {{"0123456789abcdef", true},   {"FFFFFFFFFFFFFFFF", true}, {"0000000000000000", false},
                 {"0123456789abcdeg", false},  {"0123456789abcde", false}, {"", false},
                 {"0123456789abcdef0", false}, {" 123456789abcdef", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t value = 0;
        char back[FINGERPRINT_DIGITS + 1];
        cr_assert_eq(fingerprint_read(slice_of(cases[i].text), &value), cases[i].good, "%s", cases[i].text);
        fingerprint_write(back, value);
        if (cases[i].good)
            cr_assert(strcasecmp(back, cases[i].text) == 0, "%s", back);
    }
}
