/* Whatever values stand in a report, what is remembered of those before it changes no fingerprint. FAULTS is the folder of reports. */
#include "tests/unit/core/fault_draw.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/core/fingerprint_alike.h"
#include "tests/unit/core/fault_files.h"

#define ROUNDS    30000
#define MUTATIONS 4
#define PARTS_MAX 10

/* ---- messages in which every look at a digit, or at the letters of an id, has something to find ---- */

static const char *const parts[] = {"order ",      "status ",     "Status: ", "code",
                                    "codes ",      " responses ", "barcode ", "HTTP/1.1 ",
                                    "exit ",       "errno=",      "signal",   "tmp.",
                                    "tmp",         "at ",         "May ",     "Nov",
                                    "Dec",         "Feb",         ":in `",    "':",
                                    "': ",         "x",           "0x",       "-",
                                    "--",          "+",           "_",        ".",
                                    ":",           ": ",          "/",        "\\",
                                    "@",           "%",           " ms",      "s",
                                    " items ",     "T",           "Z",        "'",
                                    "\"",          "`",           "(",        ")",
                                    "[",           "{",           "}",        "<",
                                    ",",           "=",           "?",        "\n",
                                    "\t",          "\x01",        "\xff",     "\xc3\xa9",
                                    "\u201c",      "\u201d",      "#",        "bad",
                                    "a",           "de.",         ".Bad",     "f",
                                    "dead-beef",   "Error: ",     "https://", "ValueError: ",
                                    "bad_order: ", "Assertion '", " ",        "GB",
                                    "E",           "jpg",         "order.ab", "pay.rb:",
                                    "a.b.c"};
static const char *const types[] = {"",          "bad_order", "ValueError", "java.lang.Error",
                                    "a.Bad",     "de.x",      "bad",        "NameError",
                                    "E404",      "status",    "timeout",    "SIGSEGV",
                                    "SIGABRT",   "f",         "Bad Thing",  "ab",
                                    "dead-beef", "order.ab",  "a.b.c.x",    "x:",
                                    "Assertion", "bad\xff",   "\xc3\xa9x",  "AssertionError",
                                    "code"};
static const char *const stacks[] = {
    "", "order_check (order.c:117)\nhandle (worker.c:40)\n",
    "Traceback (most recent call last):\n  File \"/srv/pay.py\", line 12, in charge\n    "
    "check(order)\nValueError: order 17 is bad\n",
    "java.lang.Error: order 17\n\tat org.acme.Pay.charge(Pay.java:12)\nCaused by: java.lang.Error: 17\n\tat "
    "org.acme.Pay.save(Pay.java:61)\n"};

static size_t put_message(char *to)
{
    size_t size = 0;
    for (size_t i = 1 + draw(PARTS_MAX); i > 0; i--) {
        const char *part = parts[draw(COUNT_OF(parts))];
        if (draw(5) < 2) {
            size += put_value(to + size);
        } else {
            memcpy(to + size, part, strlen(part));
            size += strlen(part);
        }
    }
    return size;
}

static void draw_report(struct fault *f, char text[TEXT_BYTES_MAX])
{
    *f = (struct fault){.reason = draw(8) ? DEAD_REJECTED : (enum dead_reason)draw(DEAD_REASONS),
                        .outcome = (enum attempt_outcome)draw(ATTEMPT_OUTCOMES)};
    f->type = slice_of(types[draw(COUNT_OF(types))]);
    f->stack = slice_of(stacks[draw(2) ? 0 : draw(COUNT_OF(stacks))]);
    size_t repeats = draw(50) ? 1 : 20; /* now and then it is longer than what is kept */
    f->message = (struct slice){text, 0};
    for (size_t i = 0; i < repeats && f->message.size + 512 < TEXT_BYTES_MAX; i++)
        f->message.size += put_message(text + f->message.size);
}

/* ---- the property ---- */

static struct slice all_digits_are_0(const struct fault *f, struct alike *room)
{
    if (f->message.size > ERROR_MESSAGE_BYTES_MAX)
        return f->message;
    for (size_t i = 0; i < f->message.size; i++) {
        char c = ((const char *)f->message.data)[i];
        room->bytes[i] = is_digit(c) ? '0' : c;
    }
    return (struct slice){room->bytes, f->message.size};
}

static struct slice all_hex_is_0(const struct fault *f, struct alike *room)
{
    struct slice ret = fingerprint_alike(f, room);
    struct fault alike = *f;
    if (ret.size && ret.size <= ERROR_MESSAGE_BYTES_MAX) {
        alike.message = ret;
        ret = all_digits_are_0(&alike, room);
        for (size_t i = 1; i < ret.size; i++) {
            if (is_hex(room->bytes[i]) && is_digit(room->bytes[i - 1]))
                room->bytes[i] = '0';
        }
    }
    return ret;
}

/* How many of `rounds` messages come to another fingerprint when their values are replaced so. */
static size_t count_wrong(struct slice (*replace)(const struct fault *, struct alike *), size_t rounds,
                          bool complain)
{
    size_t wrong = 0;
    for (size_t i = 0; i < rounds; i++) {
        char text[TEXT_BYTES_MAX];
        struct fault f, other;
        struct alike room;
        draw_report(&f, text);
        other = f;
        other.message = replace(&f, &room);
        bool same = fingerprint_of(&f) == fingerprint_of(&other);
        wrong += !same;
        if (!same && complain) {
            cr_log_error("type `%.*s`, message `%.*s`, instead `%.*s`", (int)f.type.size,
                         (const char *)f.type.data, (int)f.message.size, text, (int)other.message.size,
                         (const char *)other.message.data);
        }
    }
    return wrong;
}

Test(fingerprint_alike, a_message_and_the_one_that_is_alike_have_one_fingerprint)
{
    cr_assert_eq(count_wrong(fingerprint_alike, ROUNDS, true), 0);
}

/* Were codes, types or words replaced as well, the messages above would tell. */
Test(fingerprint_alike, the_messages_find_what_is_replaced_wrongly)
{
    cr_assert_gt(count_wrong(all_digits_are_0, 3000, false), 0);
    cr_assert_gt(count_wrong(all_hex_is_0, 3000, false), 0);
}

/* How many messages that have other values than one before them fit its pattern. */
static size_t count_fits(size_t rounds)
{
    size_t fits = 0;
    for (size_t i = 0; i < rounds; i++) {
        char text[TEXT_BYTES_MAX], other[TEXT_BYTES_MAX];
        struct fault f, changed;
        struct alike alike, changed_alike;
        draw_report(&f, text);
        memcpy(other, text, f.message.size);
        change_values(other, f.message.size);
        changed = f;
        changed.message.data = other;
        struct slice first = fingerprint_alike(&f, &alike);
        struct slice second = fingerprint_alike(&changed, &changed_alike);
        cr_assert(pattern_fits(&alike.pattern, f.message), "`%.*s`", (int)f.message.size, text);
        if (!pattern_fits(&alike.pattern, changed.message))
            continue;
        fits++;
        cr_assert(slice_equal(first, second), "type `%.*s`, `%.*s`, `%.*s`", (int)f.type.size,
                  (const char *)f.type.data, (int)f.message.size, text, (int)f.message.size, other);
    }
    return fits;
}

Test(fingerprint_alike, what_fits_the_pattern_of_a_message_is_alike)
{
    cr_assert_gt(count_fits(10 * ROUNDS), ROUNDS);
}

Test(fingerprint_alike, what_is_remembered_changes_no_fingerprint)
{
    struct fault_memo *m = calloc(1, sizeof *m);
    cr_assert(m);
    for (size_t i = 0; i < ROUNDS; i++) {
        char text[TEXT_BYTES_MAX];
        struct fault f;
        draw_report(&f, text);
        ask(m, f, MUTATIONS, "drawn");
    }
    free(m);
}

/* Also those that consumers report without a message: what their stack says last may as well be one. */
Test(fingerprint_alike, what_is_remembered_changes_no_fingerprint_of_the_corpus)
{
    struct reports *r = reports_read(FAULTS);
    struct fault_memo *m = calloc(1, sizeof *m);
    cr_assert(m);
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < r->count; i++) {
            struct fault f = r->rows[i].fault;
            ask(m, f, 40, r->rows[i].name);
            const char *stack = f.stack.data;
            size_t size = f.stack.size < ERROR_MESSAGE_BYTES_MAX ? f.stack.size : ERROR_MESSAGE_BYTES_MAX;
            f.message = (struct slice){stack + f.stack.size - size, size};
            ask(m, f, 40, r->rows[i].name);
        }
    }
    free(m);
    reports_free(r);
}

/* ---- what it is for ---- */

static bool are_alike(const char *type, const char *one, const char *other)
{
    struct alike rooms[2];
    struct fault a = {.type = slice_of(type), .message = slice_of(one)};
    struct fault b = {.type = slice_of(type), .message = slice_of(other)};
    return slice_equal(fingerprint_alike(&a, &rooms[0]), fingerprint_alike(&b, &rooms[1]));
}

Test(fingerprint_alike, values_make_no_difference)
{
    static const char *const rows[][2] = {
        {"order 17 has 3 lines", "order 42 has 9 lines"},
        {"3 is less than 10.25", "7 is less than 99.00"},
        {"stale since 2026-11-28T12:31:07.123Z", "stale since 2027-01-02T00:00:59.000Z"},
        {"no answer from 10.0.13.17:5432", "no answer from 10.9.99.18:8080"},
        {"no order 0b8a94e2-1f6c-4c57-9b1e-abcdefabcdef", "no order 7eadbeef-dead-beef-dead-beefdeadbee5"},
        {"no order abcdef12-1f6c-4c57-9b1e-abcdefabcdef, nowhere",
         "no order deadbee0-dead-beef-dead-beefdeadbee5, nowhere"},
        {"commit 3f2a9c1 is gone", "commit 1234abc is gone"},
        {"commit f02a9c1 is gone", "commit bad0afe is gone"},
        {"<Order object at 0x7f12ab340010>", "<Order object at 0x55d000112222>"},
        {"\"id\": \"5f43a1b2c3d4e5f601234567\"", "\"id\": \"64aaaaaabbbbbbcccccc1234\""},
        {"disk is 97% full, status 503", "disk is 12% full, status 503"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_expect(are_alike("bad_order", rows[i][0], rows[i][1]), "%s", rows[i][0]);
}

Test(fingerprint_alike, what_may_make_another_fingerprint_makes_a_difference)
{
    static const char *const rows[][3] = {
        {"", "answered with status 503", "answered with status 404"},
        {"", "17 exit codes 65", "17 exit codes 66"},
        {"", "HTTP/1.1 404", "HTTP/1.1 500"},
        {"", "code 1 2 3 4 5", "code 1 2 3 4 6"},
        {"", "at 0x5g", "at 1x5g"},
        {"E404", "E404: none", "E500: none"},
        {"", "pay.rb:12:in `charge': code1234(Bad)", "pay.rb:12:in `charge': code5678(Bad)"},
        {"", "may Dec12ab", "may dec12ab"},
        {"bad", "no.bad12", "no.fed12"},
        {"", "order 17", "order 170"},
        {"", "group beef", "group dead"},
        {"", "commit f02a9c1 is gone", "commit badcafe is gone"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_expect_not(are_alike(rows[i][0], rows[i][1], rows[i][2]), "%s", rows[i][1]);
}

static void ask_number(struct fault_memo *m, const char *words, unsigned number)
{
    char text[TEXT_BYTES_MAX];
    struct fault f = {.type = slice_of("bad_order"), .stack = slice_of(stacks[1])};
    f.message = (struct slice){text, (size_t)snprintf(text, sizeof text, "%s %u", words, number)};
    cr_assert_eq(fault_memo_fingerprint(m, &f), fingerprint_of(&f));
}

Test(fingerprint_alike, messages_that_differ_in_numbers_of_one_length_take_one_place)
{
    struct fault_memo *m = calloc(1, sizeof *m);
    cr_assert(m);
    for (unsigned i = 1000; i < 10000; i += 7)
        ask_number(m, "no order", i);
    cr_assert_eq(count_places(m), 1);
    ask_number(m, "no order", 10000);
    cr_assert_eq(count_places(m), 2);
    free(m);
}

/* More reports than there are places: the one that was asked for in between is still there. */
Test(fingerprint_alike, the_report_that_was_asked_for_longest_ago_goes)
{
    struct fault_memo *m = calloc(1, sizeof *m);
    cr_assert(m);
    char words[] = "no order of aaa:";
    uint64_t kept = 0;
    for (unsigned i = 0; i < 26 * 26; i++) {
        ask_number(m, "often", i % 10);
        kept = kept ? kept : m->asked;
        words[12] = (char)('a' + i / 26);
        words[13] = (char)('a' + i % 26);
        ask_number(m, words, 1);
    }
    cr_assert_eq(count_places(m), FAULT_MEMO_PLACES);
    size_t places = 0;
    for (size_t i = 0; i < FAULT_MEMO_PLACES; i++) {
        const struct fault_memo_place *p = &m->places[i];
        bool often = slice_is(p->message.text, "often \x01");
        places += often;
        cr_assert(!often || p->asked + 1 == m->asked);
    }
    cr_assert_eq(places, 1);
    free(m);
}
