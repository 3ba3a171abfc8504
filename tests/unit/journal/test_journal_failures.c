/* The journal beside a file that fails. */
#include "proto/errors.h"
#include "tests/unit/journal/rig.h"

#include <criterion/criterion.h>
#include <string.h>

#define MIB   ((uint64_t)1 << 20)
#define BLOCK ((size_t)JOURNAL_BLOCK_BYTES)

Test(journal, an_extension_that_fails_leaves_it_as_it_is)
{
    bool written = false;
    for (uint64_t n = 0;; n++) {
        struct rig *r = rig_new(MIB, 3 * MIB);
        rig_append_all(r, (size_t[]){100, 10000}, 2);
        journal_memory_fail(r->file, n, n % 2 ? SHUNT_IO : SHUNT_NO_SPACE);
        int err = journal_extend_file(journal_file_of(r->j), MIB, 2 * MIB, written);
        journal_memory_fail(r->file, 0, 0);
        /* NO_SPACE only while nothing says that it is longer. */
        cr_assert(err == 0 || err == SHUNT_IO || (err == SHUNT_NO_SPACE && !(n % 2)));
        cr_assert_eq(rig_append(r, 5000), 0, "call %lu", n);
        journal_memory_crash(r->file, n);
        rig_expect_all(r, "after an extension that failed");
        rig_done(r);
        if (!err) {
            cr_assert_geq(n, written ? 10 : 5, "each call has failed once");
            if (written)
                break;
            written = true;
            n = 0;
        }
    }
    struct rig *r = rig_new(MIB, MIB + MIB / 2);
    cr_assert_eq(journal_extend_file(journal_file_of(r->j), MIB, 2 * MIB, true), SHUNT_NO_SPACE);
    uint64_t size;
    cr_assert_eq(r->file->ops->size(r->file, &size), 0);
    cr_assert_eq(size, MIB, "what was got is given back");
    rig_done(r);
}

Test(journal, after_a_failed_write_or_flush_nothing_is_appended)
{
    for (uint64_t n = 0; n < 2; n++) {
        struct rig *r = rig_new(MIB, MIB);
        cr_assert_eq(rig_append(r, 100), 0);
        journal_memory_fail(r->file, n, SHUNT_IO);
        cr_assert_eq(rig_append(r, 10000), SHUNT_IO);
        journal_memory_fail(r->file, 0, 0);
        uint64_t calls = journal_memory_calls(r->file);
        cr_assert_eq(rig_append(r, 10000), SHUNT_IO);
        cr_assert_eq(journal_memory_calls(r->file), calls, "the file is left alone");
        rig_done(r);
    }
}

/* Its pages are still there for the next process, and no flush of that one writes them. */
Test(journal, a_record_whose_flush_failed_is_durable_once_it_was_opened)
{
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct rig *r = rig_new(MIB, MIB);
        cr_assert_eq(rig_append(r, 100), 0);
        journal_memory_fail(r->file, 1, SHUNT_IO);
        cr_assert_eq(rig_append(r, 3 * BLOCK), SHUNT_IO);
        journal_memory_fail(r->file, 0, 0);
        rig_expect_all(r, "by the next process");
        cr_assert_eq(r->count, 2);
        if (seed % 2)
            cr_assert_eq(rig_append(r, 100), 0);
        journal_memory_crash(r->file, seed);
        rig_expect_all(r, "after a power cut");
        rig_done(r);
    }
}

#define PIECE (64ull << 10) /* that is written ahead with as many calls as a block */

Test(journal, so_is_a_length_whose_flush_failed)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct rig *r = rig_new(MIB, 2 * MIB);
        uint64_t calls = journal_memory_calls(r->file);
        cr_assert_eq(journal_extend_file(journal_file_of(r->j), MIB, MIB + BLOCK, true), 0);
        uint64_t last = journal_memory_calls(r->file) - calls - 1;
        journal_memory_fail(r->file, last,
                            seed % 2 ? SHUNT_IO : SHUNT_NO_SPACE); /* never to be tried again */
        cr_assert_eq(journal_extend_file(journal_file_of(r->j), MIB, MIB + PIECE, true), SHUNT_IO);
        journal_memory_fail(r->file, 0, 0);
        rig_expect_all(r, "by the next process");
        cr_assert_eq(journal_bytes(r->j), MIB + PIECE);
        while (journal_next(r->j).at <= MIB)
            cr_assert_eq(rig_append(r, 10 * BLOCK), 0);
        journal_memory_crash(r->file, seed);
        rig_expect_all(r, "after a power cut");
        rig_done(r);
    }
}

Test(journal, making_and_opening_pass_each_failure_on)
{
    for (uint64_t n = 0;; n++) {
        struct journal_file *file = journal_file_memory(MIB), *again;
        struct journal *j;
        char why[RIG_WHY_BYTES] = "";
        cr_assert_eq(file->ops->again(file, &again), 0);
        journal_memory_fail(file, n, SHUNT_IO);
        int err = journal_create(again, rig_id, MIB, 1, &j, why, sizeof why);
        cr_assert(err == 0 || (err == SHUNT_IO && strstr(why, "1048576 bytes")), "%s", why);
        if (!err)
            journal_close(j);
        file->ops->close(file);
        if (!err) {
            cr_assert_geq(n, 5);
            break;
        }
    }
    struct rig *r = rig_new(MIB, MIB);
    rig_append_all(r, (size_t[]){100, 10000}, 2);
    for (uint64_t n = 1;; n++) {
        journal_memory_fail(r->file, n, SHUNT_IO);
        int err = rig_reopen(r, false);
        if (!err)
            break;
        cr_assert_eq(err, SHUNT_IO);
        cr_assert(strstr(r->why, "system call"), "%s", r->why);
    }
    cr_assert_eq(r->seen, 2);
    rig_done(r);
}
