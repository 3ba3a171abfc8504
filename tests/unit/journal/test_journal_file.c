/* The journal's file on disk: there or not, made, read only, removed; and a journal in it. */
#include "broker/journal/file.h"
#include "broker/journal/journal.h"
#include "proto/errors.h"
#include "tests/unit/journal/rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)

static char dir[256], path[300], why[RIG_WHY_BYTES];

static void set_up(void)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(dir, sizeof dir, "%s/shunt-journal-XXXXXX", base ? base : "/tmp");
    cr_assert_not_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/journal", dir);
}

static void tear_down(void)
{
    (void)remove(path); /* a test may have removed it */
    cr_assert_eq(rmdir(dir), 0);
}

TestSuite(journal_file, .init = set_up, .fini = tear_down);

static struct journal_file *opened(bool create, bool read_only)
{
    struct journal_file *f;
    int err = journal_file_open(dir, create, read_only, &f, why, sizeof why);
    cr_assert_eq(err, 0, "%s: %s", err_name(err), why);
    return f;
}

static int count(void *context, struct journal_place place, struct slice body)
{
    uint64_t number = place.number;
    cr_assert_eq(number, ++*(uint64_t *)context);
    cr_assert_eq(body.size, number * 1000);
    for (size_t i = 0; i < body.size; i++)
        cr_assert_eq(((const uint8_t *)body.data)[i], (uint8_t)(number + i));
    return 0;
}

static void append(struct journal *j, uint64_t number)
{
    static uint8_t record[JOURNAL_HEAD_BYTES + 100000];
    for (size_t i = 0; i < number * 1000; i++)
        record[JOURNAL_HEAD_BYTES + i] = (uint8_t)(number + i);
    cr_assert_eq(journal_append(j, record, number * 1000), 0);
}

Test(journal_file, is_missing_until_it_is_made)
{
    struct journal_file *f;
    for (int read_only = 0; read_only < 2; read_only++) {
        cr_assert_eq(journal_file_open(dir, false, read_only, &f, why, sizeof why), SHUNT_NOT_FOUND);
        cr_assert_not_null(strstr(why, path), "%s", why);
    }
    f = opened(true, false);
    uint64_t size = 1;
    cr_assert_eq(f->ops->size(f, &size), 0);
    cr_assert_eq(size, 0);
    f->ops->close(f);
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
}

Test(journal_file, holds_a_journal_that_grows)
{
    struct journal *j;
    struct journal_place first;
    uint64_t seen = 0;
    cr_assert_eq(journal_create(opened(true, false), rig_id, MIB, 1, &j, why, sizeof why), 0, "%s", why);
    first = journal_next(j);
    cr_assert_eq(journal_bytes(j), MIB);
    for (uint64_t number = 1; number <= 30; number++)
        append(j, number);
    cr_assert_eq(journal_extend_file(journal_file_of(j), MIB, 12 * MIB, true), 0);
    journal_extended(j, 12 * MIB);
    for (uint64_t number = 31; number <= 60; number++)
        append(j, number);
    journal_close(j);
    for (int read_only = 1; read_only >= 0; read_only--) {
        seen = 0;
        cr_assert_eq(journal_open(opened(false, read_only), rig_id, first, first, read_only, count, &seen, &j,
                                  why, sizeof why),
                     0, "%s", why);
        cr_assert_eq(seen, 60);
        cr_assert_eq(journal_bytes(j), 12 * MIB);
        if (read_only)
            journal_close(j);
    }
    append(j, 61);
    journal_close(j);
    /* Every block is set aside and written. */
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_size, 12 * MIB);
    cr_assert_geq((uint64_t)st.st_blocks * 512, 12 * MIB);
}

Test(journal_file, can_be_written_over_by_a_new_journal)
{
    struct journal *j;
    for (uint64_t bytes = 2 * MIB; bytes >= MIB; bytes -= MIB) {
        cr_assert_eq(journal_create(opened(true, false), rig_id, bytes, 1, &j, why, sizeof why), 0, "%s",
                     why);
        append(j, 1);
        append(j, 2);
        struct journal_place first = {1, JOURNAL_BLOCK_BYTES};
        journal_close(j);
        uint64_t seen = 0;
        cr_assert_eq(journal_open(opened(false, false), rig_id, first, first, false, count, &seen, &j, why,
                                  sizeof why),
                     0);
        cr_assert_eq(seen, 2);
        cr_assert_eq(journal_bytes(j), bytes);
        journal_close(j);
    }
}

Test(journal_file, is_not_written_when_opened_for_reading)
{
    struct journal_file *f = opened(true, false);
    f->ops->close(f);
    f = opened(false, true);
    cr_assert_neq(f->ops->write(f, 0, &(struct iovec){path, 1}, 1), 0);
    cr_assert_neq(f->ops->truncate(f, 1), 0);
    f->ops->close(f);
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_size, 0);
}

Test(journal_file, reads_and_writes_are_whole_or_fail)
{
    struct journal_file *f = opened(true, false), *again;
    char text[8] = "";
    struct iovec parts[] = {{(char[]){"ab"}, 2}, {NULL, 0}, {(char[]){"cd"}, 2}, {NULL, 0}};
    cr_assert_eq(f->ops->write(f, 2, parts, 4), 0);
    cr_assert_eq(f->ops->again(f, &again), 0);
    cr_assert_eq(again->ops->read(again, 2, text, 4), 0);
    cr_assert_str_eq(text, "abcd");
    cr_assert_eq(again->ops->read(again, 2, text, 5), SHUNT_CORRUPT);
    cr_assert_eq(f->ops->truncate(f, 0), 0);
    cr_assert_eq(again->ops->read(again, 0, text, 1), SHUNT_CORRUPT);
    f->ops->close(f);
    again->ops->close(again);
}

Test(journal_file, something_else_in_its_place_is_told)
{
    struct journal_file *f;
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_assert_eq(journal_file_open(dir, false, true, &f, why, sizeof why), SHUNT_IO);
    cr_assert_not_null(strstr(why, "not a plain file"), "%s", why);
    cr_assert_neq(journal_file_remove(dir, why, sizeof why), 0);
    cr_assert_not_null(strstr(why, path), "%s", why);
}

Test(journal_file, removing_it_twice_is_well)
{
    struct journal_file *f = opened(true, false);
    f->ops->close(f);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(journal_file_remove(dir, why, sizeof why), 0, "%s", why);
    cr_assert_eq(journal_file_open(dir, false, false, &f, why, sizeof why), SHUNT_NOT_FOUND);
}
