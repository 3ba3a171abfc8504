/* Whatever values stand in a stack, what is remembered of those before it changes no fingerprint. FAULTS is the folder of reports. */
#include "tests/unit/core/fault_draw.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/core/fingerprint_alike.h"
#include "tests/unit/core/fault_files.h"

static const char *const parts_of_lines[] = {"\n",        "\n  ",       "\n#",
                                             " 0x",       "#",          "Caused by: ",
                                             "\n==",      "---- ",      "\nValueError: ",
                                             "\n    at ", "\nfrom ",    ".py:",
                                             " (a.c:",    "a/b.rb:",    ":in `",
                                             "$",         "[",          "+0x",
                                             " at ",      "goroutine ", " order ",
                                             ": ",        "python",     "ruby/",
                                             "file",      "_",          "\nFa "};
static struct slice alike_stack(const struct fault *f, struct alike *alike)
{
    static bool counts[STACK_BYTES_MAX];
    struct fault_use use = {.counts = counts};
    memset(counts, false, sizeof counts);
    cr_assert(f->stack.size <= sizeof counts);
    (void)fingerprint_of_noting(f, &use);
    return fingerprint_alike_stack(f->stack, &use, alike);
}

/* With values here and there that were not in it, and other ones in place of those that were. */
static void spoil(struct fault *f, char to[STACK_BYTES_MAX])
{
    const char *from = f->stack.data;
    size_t size = 0, at = 0;
    for (size_t values = 1 + draw(6); at < f->stack.size && size + 2 * TEXT_BYTES_MAX < STACK_BYTES_MAX;
         at++) {
        if (values && draw(f->stack.size / values + 1) == 0) {
            const char *part = draw(2) ? parts_of_lines[draw(COUNT_OF(parts_of_lines))] : " ";
            memcpy(to + size, part, strlen(part));
            size += strlen(part);
            size += put_value(to + size);
            values--;
        }
        to[size++] = from[at];
    }
    change_values(to, size);
    f->stack = (struct slice){to, size};
}

static struct slice all_hex_of_stack_is_0(const struct fault *f, struct alike *alike)
{
    struct slice ret = alike_stack(f, alike);
    for (size_t i = 0; ret.data != f->stack.data && i < ret.size; i++) {
        char *at = alike->bytes + ALIKE_BEFORE_BYTES + i;
        *at = is_digit(*at) || is_hex(*at) ? '0' : *at;
    }
    return ret;
}

/* How many stacks of the corpus come to another fingerprint when values are put into them and then replaced so. */
static size_t count_wrong_stacks(struct slice (*replace)(const struct fault *, struct alike *), size_t rounds,
                                 bool complain)
{
    struct reports *r = reports_read(FAULTS);
    size_t wrong = 0;
    for (size_t i = 0; i < rounds * r->count; i++) {
        static char text[STACK_BYTES_MAX];
        struct fault f = r->rows[i % r->count].fault, other;
        struct alike alike;
        if (f.stack.size > ALIKE_BYTES_MAX)
            continue;
        spoil(&f, text);
        if (draw(2))
            f.message.size = f.type.size = 0;
        other = f;
        other.stack = replace(&f, &alike);
        bool same = fingerprint_of(&f) == fingerprint_of(&other);
        wrong += !same;
        if (!same && complain) {
            cr_log_error("%s: `%.*s`, instead `%.*s`", r->rows[i % r->count].name, (int)f.stack.size,
                         (const char *)f.stack.data, (int)other.stack.size, (const char *)other.stack.data);
        }
    }
    reports_free(r);
    return wrong;
}

Test(fingerprint_alike_stack, a_stack_and_the_one_that_is_alike_have_one_fingerprint)
{
    cr_assert_eq(count_wrong_stacks(alike_stack, 60, true), 0);
}

/* Were frames replaced as well, the stacks above would tell. */
Test(fingerprint_alike_stack, the_stacks_find_what_is_replaced_wrongly)
{
    cr_assert_gt(count_wrong_stacks(all_hex_of_stack_is_0, 1, false), 0);
}

Test(fingerprint_alike_stack, what_is_remembered_of_stacks_changes_no_fingerprint)
{
    struct reports *r = reports_read(FAULTS);
    struct fault_memo *m = calloc(1, sizeof *m);
    cr_assert(m);
    for (size_t i = 0; i < 10 * r->count; i++) {
        static char text[STACK_BYTES_MAX];
        struct fault f = r->rows[i % r->count].fault;
        if (f.stack.size > FAULT_MEMO_BYTES_MAX)
            continue;
        spoil(&f, text);
        if (draw(2))
            f.message.size = f.type.size = 0;
        ask(m, f, 20, r->rows[i % r->count].name);
    }
    free(m);
    reports_free(r);
}

/* ---- what it is for ---- */

static void ask_stack(struct fault_memo *m, const char *const words[2], unsigned number)
{
    char text[TEXT_BYTES_MAX];
    struct fault f = {.type = slice_of("ValueError"), .message = slice_of("it is bad")};
    f.stack = (struct slice){text, (size_t)snprintf(text, sizeof text, "%s%u%s", words[0], number, words[1])};
    cr_assert_eq(fault_memo_fingerprint(m, &f), fingerprint_of(&f));
}

/* A value in the line that tells the error, in that of its cause, beside a frame: one place. In the name of a frame: one each. */
Test(fingerprint_alike_stack, stacks_that_differ_in_values_outside_their_frames_take_one_place)
{
    static const char *const rows[][2] = {
        {"Traceback (most recent call last):\n  File \"/srv/pay.py\", line 12, in charge\n    "
         "check(order)\nValueError: order ",
         " is bad\n"},
        {"java.lang.Error: order 17\n\tat org.acme.Pay.charge(Pay.java:12)\nCaused by: java.lang.Error: no "
         "order 7e",
         "a2\n\tat org.acme.Pay.save(Pay.java:61)\n"},
        {"goroutine 1 [running]:\nmain.charge(0xc0000", ", 0x1)\n\t/srv/pay.go:12 +0x1b4\n"},
        {"#0  0x00007f12ab", " in charge (order=0x55d0) at pay.c:12\n#1  main () at pay.c:40\n"},
        {"charge at pay.c:12\nmain at pay.c:40\nstderr: order ", "\n"}};
    static const char *const in_frame[] = {"charge", " (pay.c:12)\nmain (pay.c:40)\n"};
    struct fault_memo *m = calloc(1, sizeof *m);
    cr_assert(m);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (unsigned number = 1000; number < 10000; number += 97)
            ask_stack(m, rows[i], number);
        cr_expect_eq(count_places(m), i + 1, "%s: %zu", rows[i][0], count_places(m));
    }
    *m = (struct fault_memo){0};
    for (unsigned number = 1000; number < 1010; number++)
        ask_stack(m, in_frame, number);
    cr_assert_eq(count_places(m), 10);
    free(m);
}
