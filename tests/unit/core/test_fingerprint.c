/* The number of a fault: equal for one fault, whatever values its reports name. */
#include "broker/core/fingerprint.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "broker/core/fingerprint_stack.h"
#include "proto/limits.h"

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

Test(fingerprint, a_type_is_a_name_if_it_is_a_word)
{
    cr_assert_neq(of_error("E404", ""), of_error("E405", ""));
    cr_assert_neq(of_error("exit 65", ""), of_error("exit 66", ""));
    cr_assert_eq(of_error("order 17 failed", ""), of_error("order 18 failed", ""), "it is a message");
    cr_assert_eq(of_error("Bad@0x7f12ab340010", ""), of_error("Bad@0x55d0ab340010", ""));
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

/* ---- limits: what lies beyond one does not count, what lies before it does ---- */

static char *filled(size_t size, char c)
{
    char *text = malloc(size + 1);
    cr_assert(text);
    memset(text, c, size);
    text[size] = '\0';
    return text;
}

static uint64_t of_texts(struct slice type, struct slice message, struct slice stack)
{
    return fingerprint_of(&(struct fault){.reason = DEAD_MAX_ATTEMPTS,
                                          .outcome = ATTEMPT_NACKED,
                                          .type = type,
                                          .message = message,
                                          .stack = stack});
}

Test(fingerprint_limits, a_type_counts_to_its_limit)
{
    struct slice none = {0};
    char *type = filled(ERROR_TYPE_BYTES_MAX + 1, 'x');
    uint64_t whole = of_texts((struct slice){type, ERROR_TYPE_BYTES_MAX}, none, none);
    cr_assert_eq(of_texts((struct slice){type, ERROR_TYPE_BYTES_MAX + 1}, none, none), whole);
    type[ERROR_TYPE_BYTES_MAX - 1] = 'y';
    cr_assert_neq(of_texts((struct slice){type, ERROR_TYPE_BYTES_MAX}, none, none), whole);
    free(type);
}

/* Of a message without values the first 512 bytes count, less the type's. */
Test(fingerprint_limits, a_message_counts_to_its_limit)
{
    struct slice none = {0};
    char *message = filled(1 << 20, 'x');
    for (size_t i = 100; i < 1 << 20; i += 100)
        message[i] = ' ';
    uint64_t whole = of_texts(none, (struct slice){message, 1 << 20}, none);
    message[600] = 'y';
    cr_assert_eq(of_texts(none, (struct slice){message, 1 << 20}, none), whole);
    message[500] = 'y';
    cr_assert_neq(of_texts(none, (struct slice){message, 1 << 20}, none), whole);
    free(message);
}

/* Values of 900 bytes before it: still what stands at 1,020 counts, and what stands behind 1,024 does not. */
Test(fingerprint_limits, what_is_cut_off_a_message_does_not_count)
{
    struct slice none = {0};
    char *message = filled(2000, '7');
    memcpy(message + 1000, " is too much for ", 17);
    uint64_t whole = of_texts(none, (struct slice){message, 2000}, none);
    memcpy(message + 1300, " other words ", 13);
    cr_assert_eq(of_texts(none, (struct slice){message, 2000}, none), whole);
    message[1010] = 'x';
    cr_assert_neq(of_texts(none, (struct slice){message, 2000}, none), whole);
    free(message);
}

Test(fingerprint_limits, the_end_of_a_stack_counts)
{
    static const char frames[] = "\nfirst at a.c:1\nsecond at b.c:2\n";
    char *stack = filled(1 << 20, 'x');
    size_t at = (1 << 20) - ERROR_STACK_BYTES_MAX;
    memcpy(stack + at, frames, sizeof frames - 1);
    uint64_t whole = of_texts(slice_of("SIGSEGV"), (struct slice){0}, (struct slice){stack, 1 << 20});
    cr_assert_neq(whole, of_texts(slice_of("SIGSEGV"), (struct slice){0}, slice_of("x")),
                  "the frames are seen");
    memcpy(stack + at - 100, frames, sizeof frames - 1);
    stack[at - 99] = 'F';
    cr_assert_eq(of_texts(slice_of("SIGSEGV"), (struct slice){0}, (struct slice){stack, 1 << 20}), whole);
    stack[at + 1] = 'F';
    cr_assert_neq(of_texts(slice_of("SIGSEGV"), (struct slice){0}, (struct slice){stack, 1 << 20}), whole);
    free(stack);
}

Test(fingerprint_limits, the_nearest_frames_count)
{
    char stack[2][1000];
    for (size_t other = 0; other <= STACK_FRAMES_MAX; other++) {
        size_t size[2] = {0};
        for (size_t which = 0; which < 2; which++) {
            for (size_t i = 0; i <= STACK_FRAMES_MAX; i++) {
                char name = (char)(which == 1 && i == other ? 'z' : 'a' + (char)i);
                size[which] += (size_t)snprintf(stack[which] + size[which], sizeof stack[which] - size[which],
                                                "%c at order.c:%zu\n", name, i + 1);
            }
        }
        uint64_t one = of_texts(slice_of("SIGSEGV"), (struct slice){0}, (struct slice){stack[0], size[0]});
        uint64_t another =
            of_texts(slice_of("SIGSEGV"), (struct slice){0}, (struct slice){stack[1], size[1]});
        cr_assert_eq(one == another, other == STACK_FRAMES_MAX, "frame %zu", other);
    }
}

Test(fingerprint, a_given_one_is_all_that_counts)
{
    struct fault one = {.reason = DEAD_REJECTED, .type = slice_of("A"), .given = slice_of("stripe 17")};
    struct fault another = {
        .reason = DEAD_TTL_EXPIRED, .type = slice_of("B"), .given = slice_of("stripe 17")};
    cr_assert_eq(fingerprint_of(&one), fingerprint_of(&another));
    another.given = slice_of("stripe 18");
    cr_assert_neq(fingerprint_of(&one), fingerprint_of(&another), "it is taken byte by byte");
    struct fault type = {.reason = DEAD_REJECTED, .type = slice_of("stripe 17")};
    cr_assert_neq(fingerprint_of(&one), fingerprint_of(&type), "it is no type");
    one.given = (struct slice){"a\0b", 3};
    another.given = (struct slice){"a\0c", 3};
    cr_assert_neq(fingerprint_of(&one), fingerprint_of(&another));
}

/* Fingerprints are in stores: these change only with FINGERPRINT_VERSION. */
Test(fingerprint, this_version_gives_these)
{
    cr_assert_eq(FINGERPRINT_VERSION, 1);
    cr_assert_eq(of_error("ValueError", "order 17 is bad"), 0xeccd59fe04fd79f0ull);
    cr_assert_eq(
        of_texts(slice_of("SIGSEGV"), (struct slice){0}, slice_of("parse at a.c:1\nhandle at b.c:2\n")),
        0x854cc7b74da475c8ull);
    cr_assert_eq(fingerprint_of(&(struct fault){.reason = DEAD_TTL_EXPIRED}), 0xd0969a43ed70e607ull);
    cr_assert_eq(fingerprint_of(&(struct fault){.given = slice_of("stripe")}), 0xe71a473da4dec7dcull);
}
