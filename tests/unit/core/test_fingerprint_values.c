/* The property: whatever values stand in a report, its fingerprint is the same; another type, word or frame, and it is another. */
#include "broker/core/fingerprint.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

#define ROUNDS    4000
#define TEXT_MAX  4096
#define WORDS     6
#define FRAMES    6
#define VALUE_MAX 64

static uint64_t state = 20261128;

static uint64_t draw(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

/* ---- values ---- */

static void put_from(char *to, size_t count, const char *set)
{
    for (size_t i = 0; i < count; i++)
        to[i] = set[draw(strlen(set))];
    to[count] = '\0';
}

static void put_number(char *to)
{
    (void)snprintf(to, VALUE_MAX, "%" PRIu64, draw(1000000) >> draw(20));
}

static void put_negative(char *to)
{
    (void)snprintf(to, VALUE_MAX, "-%" PRIu64 ".%" PRIu64, draw(1000), draw(100));
}

static void put_uuid(char *to)
{
    put_from(to, 36, "0123456789abcdef");
    to[8] = to[13] = to[18] = to[23] = '-';
}

static void put_address(char *to)
{
    memcpy(to, "0x", 2);
    put_from(to + 2, 1 + draw(12), "0123456789abcdef");
}

static void put_digest(char *to)
{
    put_from(to, 40, "0123456789abcdef");
}

static void put_quoted(char *to)
{
    size_t size = draw(20);
    to[0] = '\'';
    put_from(to + 1, size, "abcXYZ 019_-./:()\"");
    memcpy(to + 1 + size, "'", 2);
}

static void put_path(char *to)
{
    memcpy(to, "/srv/", 5);
    put_from(to + 5, 1 + draw(20), "abcdXYZ019_-.");
    strcat(to, "x");
}

static void put_time(char *to)
{
    (void)snprintf(to, VALUE_MAX,
                   "20%02" PRIu64 "-%02" PRIu64 "-%02" PRIu64 "T%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 "%s",
                   draw(90) + 10, draw(12) + 1, draw(28) + 1, draw(24), draw(60), draw(60),
                   draw(2) ? "Z" : ".123+01:00");
}

static void put_machine(char *to)
{
    (void)snprintf(to, VALUE_MAX, "%" PRIu64 ".%" PRIu64 ".%" PRIu64 ".%" PRIu64 ":%" PRIu64, draw(256),
                   draw(256), draw(256), draw(256), draw(65536));
}

static void put_mail(char *to)
{
    put_from(to, 1 + draw(8), "abcdefgh");
    strcat(to, draw(2) ? "@example.com" : "@mail.example.org");
}

static void put_duration(char *to)
{
    static const char *const units[] = {"ms", "s", "m", "h", "KiB", "MB", " seconds", " bytes"};
    (void)snprintf(to, VALUE_MAX, "%" PRIu64 "%s", draw(10000), units[draw(sizeof units / sizeof *units)]);
}

static void put_list(char *to)
{
    size_t size = (size_t)snprintf(to, VALUE_MAX, "[%" PRIu64, draw(100));
    for (uint64_t i = draw(4); i > 0; i--)
        size += (size_t)snprintf(to + size, VALUE_MAX - size, ", %" PRIu64, draw(100));
    (void)snprintf(to + size, VALUE_MAX - size, "]");
}

/* Words, which no one can tell from others: the control. */
static void put_word(char *to)
{
    put_from(to, 5 + draw(5), "ghijklmno");
}

typedef void put_fn(char *to);
static put_fn *const kinds[] = {put_number, put_negative, put_uuid,    put_address, put_digest,   put_quoted,
                                put_path,   put_time,     put_machine, put_mail,    put_duration, put_list};
#define KINDS (sizeof kinds / sizeof *kinds)

/* ---- reports ---- */

struct template
{
    unsigned words[WORDS];
    put_fn *values[WORDS]; /* between the words; NULL: nothing */
    unsigned functions[FRAMES];
    size_t frames;
    unsigned shape, type;
};

static const char *const words[] = {"order",   "cannot", "reach", "limit",   "reading",  "of",
                                    "failed:", "for",    "while", "(retry)", "Customer", "is"};
static const char *const functions[] = {"charge", "refund", "parse_item", "fetchRate",
                                        "load",   "handle", "save_all",   "on_message"};
static const char *const types[] = {"ValueError", "BadOrder",         "IOException",
                                    "Timeout",    "acme.pay.Refused", "exit 65"};
#define COUNT(table) (sizeof table / sizeof *table)

static struct template draw_template(void)
{
    struct template t = {
        .frames = 1 + draw(FRAMES), .shape = (unsigned)draw(4), .type = (unsigned)draw(COUNT(types))};
    for (size_t i = 0; i < WORDS; i++) {
        t.words[i] = (unsigned)draw(COUNT(words));
        t.values[i] = draw(2) ? kinds[draw(KINDS)] : NULL;
    }
    for (size_t i = 0; i < FRAMES; i++)
        t.functions[i] = (unsigned)draw(COUNT(functions));
    return t;
}

/* In one of four shapes, at a random place. */
static size_t put_frame(char *to, size_t room, const struct template *t, size_t i)
{
    static const char *const folders[] = {"/srv/pay", "/home/deploy/releases/20261128", "/app"};
    const char *function = functions[t->functions[i]], *folder = folders[draw(COUNT(folders))];
    unsigned line = 1 + (unsigned)draw(2000), column = 1 + (unsigned)draw(80);
    switch (t->shape) {
    case 0:
        return (size_t)snprintf(to, room, "  File \"%s/pay.py\", line %u, in %s\n    x = y(%u)\n", folder,
                                line, function, column);
    case 1:
        return (size_t)snprintf(to, room, "    at %s (%s/pay.js:%u:%u)\n", function, folder, line, column);
    case 2:
        return (size_t)snprintf(to, room, "\tat com.acme.Pay.%s(Pay.java:%u)\n", function, line);
    default:
        return (size_t)snprintf(to, room, "%s at src/pay.c:%u\n", function, line);
    }
}

/* With other values, lines and folders each time. */
static uint64_t fill(const struct template *t)
{
    static char message[TEXT_MAX], stack[TEXT_MAX];
    size_t size = 0, stack_size = 0;
    for (size_t i = 0; i < WORDS; i++) {
        char value[VALUE_MAX * 2] = "";
        if (t->values[i])
            t->values[i](value);
        size += (size_t)snprintf(message + size, TEXT_MAX - size, "%s %s ", words[t->words[i]], value);
    }
    if (t->shape == 0)
        stack_size = (size_t)snprintf(stack, TEXT_MAX, "Traceback (most recent call last):\n");
    for (size_t i = 0; i < t->frames; i++)
        stack_size += put_frame(stack + stack_size, TEXT_MAX - stack_size, t, i);
    return fingerprint_of(&(struct fault){.reason = draw(2) ? DEAD_REJECTED : DEAD_MAX_ATTEMPTS,
                                          .outcome = ATTEMPT_NACKED,
                                          .type = slice_of(types[t->type]),
                                          .message = {message, size},
                                          .stack = {stack, stack_size}});
}

/* ---- claims ---- */

Test(fingerprint_values, whatever_they_are_the_fault_is_the_same)
{
    for (size_t i = 0; i < ROUNDS; i++) {
        uint64_t begin = state;
        struct template t = draw_template();
        uint64_t one = fill(&t), another = fill(&t);
        cr_assert_eq(one, another, "round %zu, from state %" PRIu64, i, begin);
    }
}

Test(fingerprint_values, another_type_is_another_fault)
{
    for (size_t i = 0; i < ROUNDS; i++) {
        struct template t = draw_template(), other = t;
        other.type = (t.type + 1 + (unsigned)draw(COUNT(types) - 1)) % (unsigned)COUNT(types);
        cr_assert_neq(fill(&t), fill(&other), "round %zu", i);
    }
}

Test(fingerprint_values, another_word_is_another_fault)
{
    for (size_t i = 0; i < ROUNDS; i++) {
        struct template t = draw_template(), other = t;
        size_t at = draw(WORDS);
        other.words[at] = (t.words[at] + 1 + (unsigned)draw(COUNT(words) - 1)) % (unsigned)COUNT(words);
        cr_assert_neq(fill(&t), fill(&other), "round %zu", i);
    }
}

/* The innermost function becomes one that the stack did not have. */
Test(fingerprint_values, another_frame_is_another_fault)
{
    for (size_t i = 0; i < ROUNDS; i++) {
        struct template t = draw_template(), other;
        for (size_t k = 0; k < FRAMES; k++)
            t.functions[k] %= COUNT(functions) - 1;
        other = t;
        other.functions[t.shape == 0 ? t.frames - 1 : 0] = COUNT(functions) - 1;
        cr_assert_neq(fill(&t), fill(&other), "round %zu", i);
    }
}

/* The control: values that are words are told apart, so the rig can find a fault that is split. */
Test(fingerprint_values, words_in_the_place_of_values_are_found)
{
    size_t split = 0;
    for (size_t i = 0; i < 100; i++) {
        struct template t = draw_template();
        t.values[0] = put_word;
        split += fill(&t) != fill(&t);
    }
    cr_assert(split > 90, "%zu", split);
}

/* A program that printed bytes: of its last line and of what is kept of its output nothing counts, whatever words there are
 * by chance. */
Test(fingerprint_values, noise_is_one_fault)
{
    static char noise[16 * 1024];
    uint64_t first = 0;
    for (size_t i = 0; i < ROUNDS / 4; i++) {
        for (size_t k = 0; k < sizeof noise; k++)
            noise[k] = (char)draw(256);
        noise[sizeof noise - 1] = 'x'; /* as the last line is never blank */
        char *newline = memrchr(noise, '\n', sizeof noise);
        char *line = newline ? newline + 1 : noise;
        uint64_t fingerprint =
            fingerprint_of(&(struct fault){.reason = DEAD_MAX_ATTEMPTS,
                                           .outcome = ATTEMPT_NACKED,
                                           .type = slice_of("exit 1"),
                                           .message = {line, (size_t)(noise + sizeof noise - line)},
                                           .stack = {noise, sizeof noise}});
        first = first ? first : fingerprint;
        cr_assert_eq(fingerprint, first, "round %zu", i);
    }
    uint64_t text = fingerprint_of(&(struct fault){.reason = DEAD_MAX_ATTEMPTS,
                                                   .outcome = ATTEMPT_NACKED,
                                                   .type = slice_of("exit 1"),
                                                   .message = slice_of("cannot reach the database"),
                                                   .stack = {noise, sizeof noise}});
    cr_assert_neq(text, first, "a last line of words counts");
}
