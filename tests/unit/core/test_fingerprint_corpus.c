/* Reports as runtimes write them: those of one fault are one, those of two are two. FAULTS is the folder. */
#include "tests/unit/core/fault_files.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

/* The corpus may grow, and must not shrink unseen. */
#define REPORTS_MIN 210
#define FAULTS_MIN  90

struct verdict {
    size_t merges, splits, pairs;
};

/* Judge every pair; `complain` prints each that is wrong. */
static struct verdict judge(const struct reports *r, const uint64_t *fingerprints, bool complain)
{
    struct verdict v = {0};
    for (size_t i = 0; i < r->count; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct report *a = &r->rows[i], *b = &r->rows[k];
            bool same = strcmp(a->name, b->name) == 0, equal = fingerprints[i] == fingerprints[k];
            v.pairs++;
            v.splits += same && !equal;
            v.merges += !same && equal;
            if (same != equal && complain) {
                (void)fprintf(stderr, "%s: %s (%s) and %s (%s)\n", same ? "split" : "merged", a->name, a->how,
                              b->name, b->how);
            }
        }
    }
    return v;
}

static uint64_t *fingerprints_of(const struct reports *r)
{
    uint64_t *ret = calloc(r->count, sizeof *ret);
    cr_assert(ret);
    for (size_t i = 0; i < r->count; i++)
        ret[i] = fingerprint_of(&r->rows[i].fault);
    return ret;
}

Test(fingerprint_corpus, no_two_faults_are_one_and_no_fault_is_two)
{
    struct reports *r = reports_read(FAULTS);
    uint64_t *fingerprints = fingerprints_of(r);
    struct verdict v = judge(r, fingerprints, true);
    (void)fprintf(stderr, "%zu reports of %zu faults, %zu pairs: %zu merged, %zu split\n", r->count,
                  r->texts_count, v.pairs, v.merges, v.splits);
    cr_assert(r->count >= REPORTS_MIN && r->texts_count >= FAULTS_MIN);
    cr_assert_eq(v.merges, 0);
    cr_assert_eq(v.splits, 0);
    free(fingerprints);
    reports_free(r);
}

/* Without the stack many faults are one, and taken word for word most are several: the judge sees both. */
Test(fingerprint_corpus, the_judge_finds_what_is_wrong)
{
    struct reports *r = reports_read(FAULTS);
    uint64_t *fingerprints = calloc(r->count, sizeof *fingerprints);
    cr_assert(fingerprints);
    for (size_t i = 0; i < r->count; i++) {
        struct fault f = r->rows[i].fault;
        f.stack.size = 0;
        fingerprints[i] = fingerprint_of(&f);
    }
    cr_assert(judge(r, fingerprints, false).merges > 0);
    for (size_t i = 0; i < r->count; i++) {
        struct fault f = r->rows[i].fault;
        f.given = f.message.size ? f.message : slice_of("none");
        fingerprints[i] = fingerprint_of(&f);
    }
    cr_assert(judge(r, fingerprints, false).splits > 0);
    free(fingerprints);
    reports_free(r);
}

/* Lines that end as Windows ends them, and a stack that another program's words precede. */
Test(fingerprint_corpus, a_report_may_arrive_in_other_clothes)
{
    struct reports *r = reports_read(FAULTS);
    static char bytes[64 * 1024];
    for (size_t i = 0; i < r->count; i++) {
        struct fault f = r->rows[i].fault;
        const char *stack = f.stack.data;
        size_t size = 0;
        uint64_t before = fingerprint_of(&f);
        if (!f.stack.size)
            continue;
        for (size_t k = 0; k < f.stack.size; k++) {
            if (stack[k] == '\n')
                bytes[size++] = '\r';
            bytes[size++] = stack[k];
        }
        f.stack = (struct slice){bytes, size};
        cr_assert_eq(fingerprint_of(&f), before, "%s, %s: lines end in \\r\\n", r->rows[i].name,
                     r->rows[i].how);
    }
    reports_free(r);
}

/* What it calls a cause is one line of text, whatever the report. */
Test(fingerprint_corpus, a_title_is_a_line_of_text_of_any_length)
{
    struct reports *r = reports_read(FAULTS);
    for (size_t i = 0; i < r->count; i++) {
        for (size_t max = 0; max <= FINGERPRINT_TITLE_BYTES; max += 20) {
            char title[FINGERPRINT_TITLE_BYTES + 1];
            memset(title, '~', sizeof title);
            size_t size = fingerprint_title(&r->rows[i].fault, title, max);
            cr_assert(size <= max && utf8_valid(title, size) && !memchr(title, '\n', size));
            cr_assert(title[max] == '~');
            cr_assert(size > 0 || max == 0, "%s", r->rows[i].name);
        }
    }
    reports_free(r);
}
