/* What is remembered of reports changes no fingerprint. FAULTS is the folder of reports. */
#include "broker/core/fault_memo.h"
#include "tests/unit/core/fault_draw.h"
#include "tests/unit/core/fault_files.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct fault_memo *new_memo(void)
{
    struct fault_memo *m = calloc(1, sizeof *m);
    cr_assert(m);
    return m;
}

/* Each report twice in a row, and with those before it again, so that places are kept, found and taken over. */
Test(fault_memo, a_fingerprint_is_the_same_whether_it_is_remembered_or_not)
{
    struct reports *r = reports_read(FAULTS);
    struct fault_memo *m = new_memo();
    cr_assert_gt(r->count, FAULT_MEMO_PLACES);
    for (size_t i = 0; i < r->count; i++) {
        for (size_t back = 0; back <= i && back < FAULT_MEMO_PLACES; back++) {
            const struct fault *f = &r->rows[i - back].fault;
            uint64_t expected = fingerprint_of(f);
            cr_assert_eq(fault_memo_fingerprint(m, f), expected, "%s", r->rows[i - back].name);
            cr_assert_eq(fault_memo_fingerprint(m, f), expected, "%s, again", r->rows[i - back].name);
        }
    }
    free(m);
    reports_free(r);
}

/* Two reports that differ in one thing, which must not be taken for each other. */
Test(fault_memo, whatever_differs_is_looked_at)
{
    struct fault_memo *m = new_memo();
    const struct fault f = {.reason = DEAD_REJECTED,
                            .outcome = ATTEMPT_REJECTED,
                            .type = slice_of("E"),
                            .message = slice_of("it is late"),
                            .stack = slice_of("handle (pay.c:7)\n")};
    struct fault others[] = {f, f, f, f, f, f};
    others[0].type = slice_of("F");
    others[1].message = slice_of("it is lost");
    others[2].stack = slice_of("handle (buy.c:7)\n");
    others[3].given = slice_of("mine");
    others[4] = (struct fault){.reason = DEAD_TTL_EXPIRED, .outcome = ATTEMPT_TTL_EXPIRED};
    others[5] = (struct fault){.reason = DEAD_MAX_ATTEMPTS, .outcome = ATTEMPT_DISCONNECTED};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        cr_assert_eq(fault_memo_fingerprint(m, &f), fingerprint_of(&f));
        cr_assert_eq(fault_memo_fingerprint(m, &others[i]), fingerprint_of(&others[i]), "%zu", i);
        cr_assert_neq(fingerprint_of(&others[i]), fingerprint_of(&f), "%zu", i);
    }
    free(m);
}

Test(fault_memo, a_report_that_is_too_long_is_not_remembered)
{
    static char stack[FAULT_MEMO_BYTES_MAX + 1];
    struct fault_memo *m = new_memo();
    for (size_t i = 0; i < sizeof stack; i++)
        stack[i] = "at a (b.c:1)\n"[i % 13];
    for (size_t size = FAULT_MEMO_BYTES_MAX; size <= sizeof stack; size++) {
        const struct fault f = {.reason = DEAD_REJECTED, .stack = {stack, size}};
        *m = (struct fault_memo){0};
        cr_assert_eq(fault_memo_fingerprint(m, &f), fingerprint_of(&f));
        cr_assert_eq(count_places(m), size == FAULT_MEMO_BYTES_MAX);
        cr_assert_eq(fault_memo_fingerprint(m, &f), fingerprint_of(&f));
    }
    free(m);
}
