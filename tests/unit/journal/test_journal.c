/* The journal's records: appended, handed out again, released, written over; and what it says when there is no room or the file fails. */
#include "tests/unit/journal/rig.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define MIB   ((uint64_t)1 << 20)
#define BLOCK ((size_t)JOURNAL_BLOCK_BYTES)

Test(journal, what_was_appended_is_handed_out_in_order)
{
    struct rig *r = rig_new(MIB, MIB);
    rig_expect_all(r, "empty");
    cr_assert_eq(r->seen, 0);
    rig_append_all(r, (size_t[]){0, 1, 100, 5000, 70000}, 5);
    rig_expect_all(r, "five");
    cr_assert_eq(r->seen, 5);
    cr_assert_eq(rig_append(r, 7), 0);
    rig_expect_all(r, "six");
    cr_assert_eq(r->seen, 6);
    rig_release(r, 4);
    rig_expect_all(r, "from the fourth");
    cr_assert_eq(r->seen, 6);
    rig_release(r, 7);
    rig_expect_all(r, "none is needed");
    cr_assert_eq(journal_used_bytes(r->j), 0);
    cr_assert_eq(rig_append(r, 7), 0);
    rig_expect_all(r, "one is");
    cr_assert_eq(journal_used_bytes(r->j), BLOCK);
    rig_done(r);
}

Test(journal, a_record_takes_whole_blocks)
{
    struct rig *r = rig_new(MIB, MIB);
    const size_t sizes[] = {0,
                            1,
                            BLOCK - JOURNAL_HEAD_BYTES - 1,
                            BLOCK - JOURNAL_HEAD_BYTES,
                            BLOCK - JOURNAL_HEAD_BYTES + 1,
                            BLOCK,
                            2 * BLOCK - JOURNAL_HEAD_BYTES};
    const size_t blocks[] = {1, 1, 1, 1, 2, 2, 2};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t before = journal_next(r->j).at;
        cr_assert_eq(rig_append(r, sizes[i]), 0);
        cr_assert_eq(journal_next(r->j).at - before, blocks[i] * BLOCK, "%zu bytes", sizes[i]);
    }
    rig_expect_all(r, "sizes around a block");
    rig_done(r);
}

/* The record before the wrap ends so many blocks before the file's end; the one behind it has so many. */
Test(journal, records_around_the_end_of_the_file)
{
    for (size_t left = 0; left < 4; left++) {
        for (size_t blocks = 1; blocks < 6; blocks++) {
            struct rig *r = rig_new(MIB, MIB);
            size_t max = journal_body_bytes_max(r->j), most = max + JOURNAL_HEAD_BYTES;
            rig_append_all(r, (size_t[]){max, max, max, max}, 4);
            rig_release(r, 4);
            cr_assert_eq(rig_append(r, MIB - BLOCK - 4 * most - left * BLOCK - JOURNAL_HEAD_BYTES), 0);
            cr_assert_eq(journal_next(r->j).at, MIB - left * BLOCK);
            cr_assert_eq(rig_append(r, blocks * BLOCK - JOURNAL_HEAD_BYTES), 0);
            bool wraps = blocks > left;
            cr_assert_eq(journal_next(r->j).at, (wraps ? BLOCK : MIB - left * BLOCK) + blocks * BLOCK);
            rig_append_all(r, (size_t[]){1, max, 1}, 3);
            uint64_t used = journal_used_bytes(r->j);
            rig_expect_all(r, "wrapped");
            cr_assert_eq(journal_used_bytes(r->j), used);
            /* Also from the record that stands behind the head block though it is looked for at the end. */
            rig_release(r, 6);
            rig_expect_all(r, "from the one that wrapped");
            rig_append_all(r, (size_t[]){max, max}, 2);
            rig_expect_all(r, "and on");
            rig_done(r);
        }
    }
}

Test(journal, a_full_ring_has_no_room_until_records_are_released)
{
    struct rig *r = rig_new(MIB, MIB);
    while (journal_has_room(r->j, 1))
        cr_assert_eq(rig_append(r, 1), 0);
    cr_assert_eq(r->count, MIB / BLOCK - 1, "every block but the head's");
    cr_assert_eq(journal_used_bytes(r->j), MIB - BLOCK);
    rig_expect_all(r, "full");
    cr_assert(!journal_has_room(r->j, 0));
    rig_release(r, 3);
    cr_assert(journal_has_room(r->j, 2 * BLOCK - JOURNAL_HEAD_BYTES));
    cr_assert(!journal_has_room(r->j, 2 * BLOCK - JOURNAL_HEAD_BYTES + 1));
    cr_assert_eq(rig_append(r, 2 * BLOCK - JOURNAL_HEAD_BYTES), 0);
    rig_expect_all(r, "full and wrapped");
    cr_assert(!journal_has_room(r->j, 0));
    cr_assert_eq(journal_used_bytes(r->j), MIB - BLOCK);
    rig_release(r, r->count + 1);
    cr_assert(journal_has_room(r->j, journal_body_bytes_max(r->j)));
    cr_assert(!journal_has_room(r->j, journal_body_bytes_max(r->j) + 1));
    rig_done(r);
}

/* Whatever stood before: two of the longest are needed, and two more are appended. */
Test(journal, two_of_the_longest_fit_while_two_are_needed)
{
    for (size_t before = 0; before < MIB / BLOCK - 1; before++) {
        struct rig *r = rig_new(MIB, MIB);
        size_t max = journal_body_bytes_max(r->j);
        for (size_t i = 0; i < before; i++) {
            cr_assert_eq(rig_append(r, 0), 0);
            rig_release(r, r->count + 1);
        }
        for (int round = 0; round < 5; round++) {
            for (int i = 0; i < 2; i++) {
                cr_assert(journal_has_room(r->j, max), "%zu blocks before, round %d", before, round);
                cr_assert_eq(rig_append(r, max), 0);
            }
            rig_release(r, r->count - 1);
        }
        rig_done(r);
    }
}

static void extend(struct rig *r, uint64_t bytes)
{
    cr_assert_eq(journal_extend_file(journal_file_of(r->j), journal_bytes(r->j), bytes, true), 0);
    journal_extended(r->j, bytes);
    cr_assert_eq(journal_bytes(r->j), bytes);
}

Test(journal, can_be_made_longer_whether_wrapped_or_not)
{
    for (uint64_t released = 1; released <= 5; released++) {
        for (uint64_t more = 0; more < 4; more++) {
            struct rig *r = rig_new(MIB, 3 * MIB);
            size_t max = journal_body_bytes_max(r->j);
            rig_append_all(r, (size_t[]){max, max, max, max}, 4);
            rig_release(r, released);
            for (uint64_t i = 0; i < more && journal_has_room(r->j, max - BLOCK); i++)
                cr_assert_eq(rig_append(r, max - BLOCK), 0);
            extend(r, 2 * MIB);
            rig_expect_all(r, "longer");
            cr_assert_eq(journal_bytes(r->j), 2 * MIB);
            for (int i = 0; i < 40; i++) {
                while (!journal_has_room(r->j, max))
                    rig_release(r, r->oldest + 1);
                cr_assert_eq(rig_append(r, max), 0);
                if (i == 20)
                    extend(r, 3 * MIB);
                rig_expect_all(r, "longer, and round");
            }
            rig_done(r);
        }
    }
}

/* A commit that finds no room asks this before it waits for a longer file. */
Test(journal, a_longer_file_helps_exactly_where_it_is_said_to)
{
    unsigned helped = 0, useless = 0;
    for (uint64_t released = 1; released <= 4; released++) {
        for (size_t times = 1; times <= 2; times++) {
            struct rig *r = rig_new(MIB, 4 * MIB);
            size_t max = journal_body_bytes_max(r->j);
            rig_append_all(r, (size_t[]){max, max, max, max}, 4);
            rig_release(r, released);
            while (journal_has_room(r->j, max))
                cr_assert_eq(rig_append(r, max), 0);
            bool helps = journal_needs_length(r->j, times * max);
            extend(r, 4 * MIB);
            cr_assert(helps || !journal_has_room(r->j, times * max), "it would have helped");
            cr_assert(times > 1 || helps == journal_has_room(r->j, max), "%llu released",
                      (unsigned long long)released);
            helped += helps;
            useless += !helps;
            rig_done(r);
        }
    }
    cr_assert(helped && useless);
}

Test(journal, reading_only_writes_nothing)
{
    struct rig *r = rig_new(MIB, MIB);
    rig_append_all(r, (size_t[]){100, 10000}, 2);
    rig_close(r);
    uint64_t size;
    uint8_t *before = rig_bytes(r, &size);
    before[2 * BLOCK + 100] ^= 1; /* the end is torn */
    journal_memory_damage(r->file, 2 * BLOCK + 100, before + 2 * BLOCK + 100, 1);
    cr_assert_eq(rig_reopen(r, true), 0);
    cr_assert_eq(r->seen, 1);
    uint8_t *after = rig_bytes(r, &size);
    cr_assert_eq(memcmp(before, after, size), 0);
    free(before);
    free(after);
    rig_done(r);
}

static int refuse(void *context, struct journal_place place, struct slice body)
{
    (void)body;
    return place.number == 2 ? *(int *)context : 0;
}

Test(journal, what_the_taker_says_ends_the_opening)
{
    struct rig *r = rig_new(MIB, MIB);
    rig_append_all(r, (size_t[]){100, 100, 100}, 3);
    rig_close(r);
    for (int i = 0; i < 2; i++) {
        int code = i ? SHUNT_NOT_FOUND : SHUNT_NO_SPACE; /* the first is also what reading says to itself */
        struct journal_file *again;
        struct journal *j;
        cr_assert_eq(r->file->ops->again(r->file, &again), 0);
        cr_assert_eq(journal_open(again, rig_id, r->records[1].place, r->records[1].place, false, refuse,
                                  &code, &j, r->why, sizeof r->why),
                     code);
    }
    rig_done(r);
}
