/* What opening makes of a file that is not as it was written: a torn end is cut, and everything else that is wrong is told. */
#include "base/big_endian.h"
#include "tests/unit/journal/rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define MIB    ((uint64_t)1 << 20)
#define BLOCK  ((size_t)JOURNAL_BLOCK_BYTES)
#define SECTOR ((size_t)MEMORY_SECTOR_BYTES)

/* Opening it cuts off the last record, and the next append, which is another, takes its place. */
static void expect_cut(struct rig *r, const char *how, size_t where)
{
    cr_assert_eq(rig_reopen(r, false), 0, "%s %zu: %s", how, where, r->why);
    cr_assert(!r->wrong, "%s %zu", how, where);
    cr_assert_eq(r->seen, r->count - 1, "%s %zu: %lu of %lu", how, where, r->seen, r->count);
    r->count = r->begun = r->seen;
    cr_assert_eq(rig_append(r, 3000), 0);
    rig_expect_all(r, how);
}

/* The last record as it is, of the sizes below, where a record was before, or where none was. */
static struct rig *with_end(size_t size, bool second_round)
{
    struct rig *r = rig_new(MIB, MIB);
    size_t max = journal_body_bytes_max(r->j);
    if (second_round) {
        rig_append_all(r, (size_t[]){size, 5000, max, max, max, max}, 6);
        rig_release(r, 5);
    }
    rig_append_all(r, (size_t[]){max - 9 * BLOCK, 100}, 2);
    if (second_round)
        cr_assert_eq(rig_append(r, max), 0);
    return r;
}

static const size_t sizes[] = {0, 100, BLOCK - JOURNAL_HEAD_BYTES, BLOCK - JOURNAL_HEAD_BYTES + 1, 3 * BLOCK};

Test(journal_damage, an_end_that_is_torn_at_any_sector_is_cut)
{
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i / 2], bytes = JOURNAL_HEAD_BYTES + size;
        for (size_t cut = 0; cut < bytes; cut += SECTOR) {
            for (int first_part = 0; first_part < 2; first_part++) {
                struct rig *r = with_end(size, i % 2);
                uint64_t file_bytes, at = journal_next(r->j).at;
                uint8_t *before = rig_bytes(r, &file_bytes);
                cr_assert_eq(rig_append(r, size), 0);
                at = rig_stands_at(r, r->count);
                /* Only what is before the cut has reached the disk, or only what is behind it. */
                if (first_part) {
                    journal_memory_damage(r->file, at + cut, before + at + cut, bytes - cut);
                } else {
                    journal_memory_damage(r->file, at, before + at,
                                          cut + SECTOR < bytes ? cut + SECTOR : bytes);
                }
                free(before);
                expect_cut(r, "torn at", cut);
                rig_done(r);
            }
        }
    }
}

Test(journal_damage, an_end_that_lacks_any_block_is_cut)
{
    for (size_t lost = 0; lost < 4; lost++) {
        for (int second_round = 0; second_round < 2; second_round++) {
            struct rig *r = with_end(3 * BLOCK, second_round);
            uint64_t file_bytes;
            uint8_t *before = rig_bytes(r, &file_bytes);
            cr_assert_eq(rig_append(r, 3 * BLOCK), 0);
            uint64_t at = rig_stands_at(r, r->count) + lost * BLOCK;
            journal_memory_damage(r->file, at, before + at, BLOCK);
            free(before);
            expect_cut(r, "without block", lost);
            rig_done(r);
        }
    }
}

/* The ring comes round, with records of the same size at the same places, and of one of them the write is lost. */
Test(journal_damage, a_record_of_an_earlier_round_is_not_taken_for_a_new_one)
{
    struct rig *r = rig_new(MIB, MIB);
    for (uint64_t i = 0; i < 3 * MIB / BLOCK; i++) {
        if (!journal_has_room(r->j, 100))
            rig_release(r, r->oldest + 5);
        uint64_t size;
        uint8_t *before = rig_bytes(r, &size);
        cr_assert_eq(rig_append(r, 100), 0);
        uint64_t at = rig_stands_at(r, r->count);
        journal_memory_damage(r->file, at, before + at, BLOCK);
        free(before);
        cr_assert_eq(rig_reopen(r, false), 0);
        cr_assert(!r->wrong && r->seen == r->count - 1, "%lu of %lu", r->seen, r->count);
        r->count = r->begun = r->seen;
        cr_assert_eq(rig_append(r, 100), 0);
    }
    rig_expect_all(r, "after three rounds");
    rig_done(r);
}

/* A record copied to where another belongs, as a disk that writes to the wrong place does. */
Test(journal_damage, a_record_that_was_moved_is_not_whole)
{
    struct rig *r = rig_new(MIB, MIB);
    rig_append_all(r, (size_t[]){100, 100}, 2);
    uint64_t size;
    uint8_t *bytes = rig_bytes(r, &size);
    const uint8_t zeros[BLOCK];
    memset((uint8_t *)(uintptr_t)zeros, 0, sizeof zeros);
    journal_memory_damage(r->file, 3 * BLOCK, bytes + 2 * BLOCK, BLOCK);
    journal_memory_damage(r->file, 2 * BLOCK, zeros, BLOCK);
    free(bytes);
    cr_assert_eq(rig_reopen(r, true), 0);
    cr_assert_eq(r->seen, 1);
    rig_done(r);
}

/* Each byte of record `number`, flipped: what opening says, and how much it hands out. */
static void flip_each(struct rig *r, uint64_t number, int want, uint64_t want_seen)
{
    uint64_t size, at = rig_stands_at(r, number);
    uint8_t *bytes = rig_bytes(r, &size);
    char place[64], name[64];
    (void)snprintf(place, sizeof place, "byte %lu", (unsigned long)r->records[number].place.at);
    (void)snprintf(name, sizeof name, "record %lu,", (unsigned long)number);
    for (size_t i = 0; i < JOURNAL_HEAD_BYTES + r->records[number].size; i++) {
        uint8_t flipped = bytes[at + i] ^ (uint8_t)(1u << i % 8);
        journal_memory_damage(r->file, at + i, &flipped, 1);
        int err = rig_reopen(r, true);
        cr_assert_eq(err, want, "byte %zu of record %lu: %s", i, number, err_name(err));
        cr_assert(!r->wrong && r->seen == want_seen, "byte %zu of record %lu: %lu seen", i, number, r->seen);
        if (want) {
            cr_assert(strstr(r->why, place) && strstr(r->why, name) && strstr(r->why, "from a backup"), "%s",
                      r->why);
        }
        journal_memory_damage(r->file, at + i, &bytes[at + i], 1);
    }
    free(bytes);
}

Test(journal_damage, a_flipped_bit_is_the_end_at_the_end_and_damage_before_it)
{
    struct rig *r = rig_new(MIB, MIB);
    rig_append_all(r, (size_t[]){100, 5000, 0, 4032}, 4);
    flip_each(r, 1, SHUNT_CORRUPT, 0);
    flip_each(r, 2, SHUNT_CORRUPT, 1);
    flip_each(r, 3, SHUNT_CORRUPT, 2);
    flip_each(r, 4, 0, 3);
    rig_expect_all(r, "as it was");
    rig_done(r);
}

Test(journal_damage, the_same_around_the_wrap)
{
    struct rig *r = rig_new(MIB, MIB);
    size_t max = journal_body_bytes_max(r->j);
    rig_append_all(r, (size_t[]){max, max, max, max, max - BLOCK}, 5);
    rig_release(r, 4);
    rig_append_all(r, (size_t[]){100, 5000, 6000}, 3);
    for (uint64_t released = 5; released < 7; released++) {
        rig_release(r, released);
        flip_each(r, 6, SHUNT_CORRUPT, 5);
        flip_each(r, 7, SHUNT_CORRUPT, 6);
        flip_each(r, 8, 0, 7);
        rig_expect_all(r, "as it was");
    }
    rig_done(r);
}

Test(journal_damage, several_bad_records_before_a_whole_one_are_damage)
{
    struct rig *r = rig_new(MIB, MIB);
    rig_append_all(r, (size_t[]){100, 100, 100, 100}, 4);
    for (uint64_t number = 1; number < 4; number++)
        journal_memory_damage(r->file, rig_stands_at(r, number) + 70, "?", 1);
    cr_assert_eq(rig_reopen(r, true), SHUNT_CORRUPT);
    cr_assert_not_null(strstr(r->why, "record 4 at byte 16384"), "%s", r->why);
    rig_done(r);
}

/* ---- the head block ---- */

static void expect_refused(struct rig *r, int want, const char *word)
{
    int err = rig_reopen(r, false);
    cr_assert_eq(err, want, "%s instead of %s: %s", err_name(err), err_name(want), r->why);
    cr_assert_not_null(strstr(r->why, word), "%s: %s", word, r->why);
}

Test(journal_damage, each_flipped_byte_of_the_head_block_is_told)
{
    struct rig *r = rig_new(MIB, MIB);
    cr_assert_eq(rig_append(r, 100), 0);
    uint64_t size;
    uint8_t *bytes = rig_bytes(r, &size);
    for (size_t i = 0; i < JOURNAL_HEAD_BYTES; i++) {
        uint8_t flipped = bytes[i] ^ (uint8_t)(1u << i % 8);
        journal_memory_damage(r->file, i, &flipped, 1);
        expect_refused(r, SHUNT_CORRUPT, "byte 0");
        journal_memory_damage(r->file, i, &bytes[i], 1);
    }
    free(bytes);
    rig_expect_all(r, "as it was");
    rig_done(r);
}

/* A head block with another number at `field`, and a checksum that is right (as docs/storage.md has it). */
static void put_field(struct rig *r, size_t field, uint64_t value)
{
    uint8_t head[JOURNAL_HEAD_BYTES];
    cr_assert_eq(r->file->ops->read(r->file, 0, head, sizeof head), 0);
    put_be64(head + field, value);
    put_be64(head, XXH3_64bits_withSeed(head + 8, sizeof head - 8, 0));
    journal_memory_damage(r->file, 0, head, sizeof head);
}

Test(journal_damage, another_version_another_store_and_a_length_that_is_not_valid_are_refused)
{
    struct rig *r = rig_new(MIB, 2 * MIB);
    cr_assert_eq(rig_append(r, 100), 0);
    put_field(r, 32, 2);
    expect_refused(r, SHUNT_STORE_VERSION, "layout 2");
    put_field(r, 32, 1);
    put_field(r, 40, MIB + 1);
    expect_refused(r, SHUNT_CORRUPT, "1048577 bytes is not valid");
    put_field(r, 40, BLOCK);
    expect_refused(r, SHUNT_CORRUPT, "4096 bytes is not valid");
    put_field(r, 40, MIB + BLOCK);
    expect_refused(r, SHUNT_STORE_TRUNCATED, "1048576 of 1052672 bytes");
    put_field(r, 40, MIB);
    rig_expect_all(r, "as it was");
    put_field(r, 16, 0);
    expect_refused(r, SHUNT_CORRUPT, "another store");
    rig_done(r);
}

Test(journal_damage, a_file_that_lost_its_end_or_all_is_refused)
{
    struct rig *r = rig_new(MIB, MIB);
    cr_assert_eq(rig_append(r, 100), 0);
    cr_assert_eq(r->file->ops->truncate(r->file, MIB - 1), 0);
    expect_refused(r, SHUNT_STORE_TRUNCATED, "cut short");
    cr_assert_eq(r->file->ops->truncate(r->file, BLOCK - 1), 0);
    expect_refused(r, SHUNT_CORRUPT, "byte 0");
    cr_assert_eq(r->file->ops->truncate(r->file, 0), 0);
    expect_refused(r, SHUNT_CORRUPT, "empty");
    rig_done(r);
}

Test(journal_damage, a_place_that_is_not_in_the_file_is_refused)
{
    struct rig *r = rig_new(MIB, MIB);
    const uint64_t wrong[] = {0, BLOCK + 1, MIB + BLOCK, UINT64_MAX - BLOCK + 1};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        r->records[1].place.at = wrong[i];
        expect_refused(r, SHUNT_CORRUPT, "cannot have record 1");
    }
    r->records[1].place.at = MIB; /* behind a record that ends with the file */
    rig_expect_all(r, "at the end");
    rig_done(r);
}
