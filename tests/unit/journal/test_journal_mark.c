/* Marks: opening looks for later records where the last one says, and finds what it would find in the whole file. */
#include "broker/journal/journal_layout.h"
#include "tests/unit/journal/rig.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define MIB  ((uint64_t)1 << 20)
#define RING (256 * MIB)

static const size_t long_ones[] = {9 * MIB, 9 * MIB, 9 * MIB, 9 * MIB, 9 * MIB, 9 * MIB};

enum { LONG_ONES = sizeof long_ones / sizeof *long_ones };

/* How often the file was asked for anything. */
static uint64_t calls_of_opening(struct rig *r)
{
    uint64_t before = journal_memory_calls(r->file);
    cr_assert_eq(rig_reopen(r, true), 0, "%s", r->why);
    return journal_memory_calls(r->file) - before;
}

static void damage_marks(struct rig *r, uint64_t first, uint64_t end)
{
    for (uint64_t i = first; i < end; i++)
        journal_memory_damage(r->file, MARK_PLACE(i), &(const uint8_t){1}, 1);
}

/* Flip a bit in the head of `number`: what opening says, and what it has seen by then. */
static void expect_flipped(struct rig *r, uint64_t number, int want, const char *when)
{
    uint64_t size, at = rig_stands_at(r, number);
    uint8_t *bytes = rig_bytes(r, &size);
    uint8_t flipped = bytes[at + HEAD_BYTES] ^ 4;
    journal_memory_damage(r->file, at + HEAD_BYTES, &flipped, 1);
    int err = rig_reopen(r, true);
    cr_assert_eq(err, want, "%s: record %lu: %s %s", when, (unsigned long)number, err_name(err), r->why);
    cr_assert(!r->wrong && r->seen == number - 1, "%s: record %lu: %lu", when, (unsigned long)number,
              r->seen);
    journal_memory_damage(r->file, at + HEAD_BYTES, &bytes[at + HEAD_BYTES], 1);
    free(bytes);
}

static void expect_found(struct rig *r, const char *when)
{
    for (uint64_t n = r->oldest; n < r->count; n++)
        expect_flipped(r, n, SHUNT_CORRUPT, when);
    expect_flipped(r, r->count, 0, when);
    rig_expect_all(r, when);
}

Test(journal_mark, opening_reads_as_much_as_the_mark_has_and_not_the_file)
{
    struct rig *r = rig_new(RING, RING);
    rig_append_all(r, long_ones, LONG_ONES);
    rig_release(r, LONG_ONES);
    rig_append_all(r, (size_t[]){100}, 1);
    uint64_t with = calls_of_opening(r);
    damage_marks(r, 0, MARKS);
    uint64_t without = calls_of_opening(r);
    const uint64_t file_pieces = RING / (256 << 10), mark_pieces = (MARK_BYTES_MAX + 10 * MIB) / (256 << 10);
    cr_assert_leq(with, mark_pieces + 16, "%lu", (unsigned long)with);
    cr_assert_geq(without, file_pieces, "%lu", (unsigned long)without);
    rig_done(r);
}

Test(journal_mark, damage_is_found_from_each_mark_to_the_next_and_around_the_wrap)
{
    static const uint64_t rings[] = {64 << 10, MIB, 2 * MIB};
    for (size_t i = 0; i < sizeof rings / sizeof *rings; i++) {
        struct rig *r = rig_new(rings[i], rings[i]);
        size_t max = journal_body_bytes_max(r->j);
        for (unsigned round = 0; round < 24; round++) {
            size_t size = round % 3 == 0 ? max : round % 3 == 1 ? 100 : max / 3;
            if (r->count >= 2)
                rig_release(r, r->count - 1);
            cr_assert_eq(rig_append(r, size), 0);
            expect_found(r, "as it goes");
        }
        rig_done(r);
    }
}

Test(journal_mark, one_that_is_not_whole_makes_opening_look_everywhere)
{
    for (uint64_t i = 0; i < MARKS; i++) {
        for (uint64_t at = 0; at < JOURNAL_HEAD_BYTES; at++) {
            struct rig *r = rig_new(MIB, MIB);
            size_t max = journal_body_bytes_max(r->j);
            rig_append_all(r, (size_t[]){max, max, 100, 100, max, 100}, 6);
            uint64_t size;
            uint8_t *bytes = rig_bytes(r, &size);
            uint8_t flipped = bytes[MARK_PLACE(i) + at] ^ 0x80;
            free(bytes);
            journal_memory_damage(r->file, MARK_PLACE(i) + at, &flipped, 1);
            expect_found(r, "with a broken mark");
            cr_assert_eq(rig_reopen(r, false), 0);
            rig_release(r, 4);
            rig_append_all(r, (size_t[]){max, 100, max}, 3);
            expect_found(r, "after a broken mark");
            rig_done(r);
        }
    }
}

Test(journal_mark, a_power_cut_between_any_two_flushes_loses_nothing)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct rig *r = rig_new(64 << 10, 64 << 10);
        size_t max = journal_body_bytes_max(r->j);
        for (unsigned round = 0; round < 40; round++) {
            if (r->count >= 2)
                rig_release(r, r->count);
            journal_memory_fail(r->file, (seed * 7 + round) % 5, SHUNT_IO);
            int err = rig_append(r, (seed + round) % 3 ? 100 : max);
            journal_memory_fail(r->file, 0, 0);
            if (!err)
                continue;
            rig_close(r);
            journal_memory_crash(r->file, seed);
            rig_expect_all(r, "after a cut");
        }
        rig_done(r);
    }
}
