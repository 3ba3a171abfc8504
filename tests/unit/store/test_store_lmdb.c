/* The LMDB store's guards: each thing that can be wrong with a data directory gets its code and a sentence
 * that helps. */
#include "broker/store/store_file.h"
#include "broker/store/store_lmdb.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

DIR_SUITE(store_lmdb);

static int open_with(bool create, bool read_only, struct store **ret)
{
    return fixture_open_as(dir, create, read_only, ret, why);
}

static struct store *open_well(void)
{
    return fixture_open_well(dir, why);
}

static void expect_refused(int want, const char *word)
{
    fixture_expect_refused(dir, want, word, why);
}

static const char *data_path(void)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/" STORE_DATA_NAME, dir);
    return path;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert(fd >= 0);
    cr_assert_eq(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static void put_many(struct store *s, uint32_t from, uint32_t count, size_t value_bytes)
{
    static const uint8_t value[65536];
    struct store_txn *t = begin_write(s);
    for (uint32_t i = from; i < from + count; i++) {
        uint32_t key = __builtin_bswap32(i);
        cr_assert_eq(store_put(t, TABLE_MESSAGE, (struct slice){&key, 4}, (struct slice){value, value_bytes}),
                     0);
    }
    commit(t);
}

/* Where the last page ends, as LMDB itself tells. */
static uint64_t file_end(void)
{
    MDB_env *env;
    MDB_envinfo info;
    cr_assert_eq(mdb_env_create(&env), 0);
    cr_assert_eq(mdb_env_open(env, dir, MDB_RDONLY | MDB_NOLOCK, 0), 0);
    cr_assert_eq(mdb_env_info(env, &info), 0);
    mdb_env_close(env);
    return (info.me_last_pgno + 1) * 4096;
}

/* ---- what comes back ---- */

Test(store_lmdb, committed_is_there_after_reopening_and_aborted_is_not)
{
    struct store *s = open_well();
    struct store_txn *t = begin_write(s);
    put_text(t, TABLE_TOPIC, "a", "kept");
    commit(t);
    t = begin_write(s);
    put_text(t, TABLE_TOPIC, "a", "lost");
    store_abort(t);
    store_close(s);
    s = open_well();
    t = begin_read(s);
    cr_assert_str_eq(dump(t, TABLE_TOPIC), "a=kept");
    store_abort(t);
    store_close(s);
}

Test(store_lmdb, a_killed_process_leaves_what_it_committed)
{
    int told[2];
    char byte;
    cr_assert_eq(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        struct store *s = open_well();
        struct store_txn *t = begin_write(s);
        put_text(t, TABLE_TOPIC, "a", "kept");
        commit(t);
        t = begin_write(s);
        put_text(t, TABLE_TOPIC, "b", "lost");
        (void)!write(told[1], "x", 1);
        for (;;)
            pause();
    }
    cr_assert_eq(read(told[0], &byte, 1), 1);
    struct store *s;
    cr_assert_eq(open_with(true, false, &s), SHUNT_STORE_LOCKED);
    char pid[32];
    snprintf(pid, sizeof pid, "process %d ", (int)child);
    cr_assert_not_null(strstr(why, pid), "%s", why);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    s = open_well();
    struct store_txn *t = begin_read(s);
    cr_assert_str_eq(dump(t, TABLE_TOPIC), "a=kept");
    store_abort(t);
    store_close(s);
}

/* ---- what is refused ---- */

Test(store_lmdb, locked)
{
    struct store *s = open_well();
    expect_refused(SHUNT_STORE_LOCKED, "is in use by process");
    store_close(s);
    s = open_well();
    store_close(s);
}

Test(store_lmdb, a_reader_for_check_locks_too)
{
    store_close(open_well());
    struct store *s;
    cr_assert_eq(open_with(false, true, &s), 0, "%s", why);
    expect_refused(SHUNT_STORE_LOCKED, "is in use by process");
    store_close(s);
}

Test(store_lmdb, truncated_by_any_page)
{
    struct store *s = open_well();
    put_many(s, 0, 200, 3000);
    store_close(s);
    uint64_t end = file_end();
    cr_assert(end > 500000);
    cr_assert_eq(truncate(data_path(), (off_t)end), 0);
    store_close(open_well()); /* the very end is long enough; opening allocates ahead again */
    static const uint64_t kept_pages[] = {1, 2, 3, 17};
    cr_assert_eq(truncate(data_path(), (off_t)end - 1), 0);
    expect_refused(SHUNT_STORE_TRUNCATED, "is cut short");
    for (int i = 3; i >= 0; i--) {
        cr_assert_eq(truncate(data_path(), (off_t)(kept_pages[i] * 4096)), 0);
        expect_refused(SHUNT_STORE_TRUNCATED, "is cut short");
    }
    struct stat st;
    cr_assert_eq(stat(data_path(), &st), 0);
    cr_assert_eq(st.st_size, 4096, "what is refused is not touched");
}

Test(store_lmdb, empty_file)
{
    store_close(open_well());
    cr_assert_eq(truncate(data_path(), 0), 0);
    expect_refused(SHUNT_STORE_TRUNCATED, "is empty");
}

Test(store_lmdb, garbage)
{
    static uint8_t bytes[65536];
    static const size_t sizes[] = {1, 20, 4096, 8192, 65536};
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 16);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        write_file(data_path(), bytes, sizes[i]);
        expect_refused(SHUNT_CORRUPT, "is not a store");
    }
}

Test(store_lmdb, both_meta_pages_overwritten_past_the_magic)
{
    store_close(open_well());
    uint8_t page[4096];
    int fd = open(data_path(), O_RDWR);
    cr_assert_eq(pread(fd, page, sizeof page, 0), (ssize_t)sizeof page);
    memset(page + 20, 0xff, 100);
    cr_assert_eq(pwrite(fd, page, sizeof page, 0), (ssize_t)sizeof page);
    cr_assert_eq(pwrite(fd, page, sizeof page, 4096), (ssize_t)sizeof page);
    close(fd);
    expect_refused(SHUNT_STORE_VERSION,
                   "another version of LMDB"); /* the number after the magic is LMDB's format */
}

Test(store_lmdb, somebody_elses_lmdb_file)
{
    fixture_make_lmdb_file(dir, NULL, 0);
    expect_refused(SHUNT_CORRUPT, "no shunt store");
}

Test(store_lmdb, a_tree_that_is_ordered_otherwise)
{
    fixture_make_lmdb_file(dir, NULL, MDB_REVERSEKEY);
    expect_refused(SHUNT_CORRUPT, "MDB_INCOMPATIBLE");
}

Test(store_lmdb, nothing_there)
{
    struct store *s;
    cr_assert_eq(open_with(false, false, &s), SHUNT_NOT_FOUND);
    cr_assert_not_null(strstr(why, "no store in"), "%s", why);
    cr_assert_eq(open_with(true, true, &s), SHUNT_NOT_FOUND, "reading never creates");
    cr_assert_eq(rmdir(dir), 0, "nothing was left in the directory");
    cr_assert_eq(open_with(false, true, &s), SHUNT_NOT_FOUND);
    store_close(open_well()); /* makes the directory too */
}

Test(store_lmdb, the_file_is_a_directory)
{
    cr_assert_eq(mkdir(data_path(), 0700), 0);
    expect_refused(SHUNT_IO, "not a plain file");
}

/* Somebody who locks the file and does not say who he is. */
Test(store_lmdb, locked_by_nobody_in_particular)
{
    struct store *s;
    char path[128];
    snprintf(path, sizeof path, "%s/" STORE_LOCK_NAME, dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    cr_assert_eq(open_with(true, false, &s), SHUNT_STORE_LOCKED);
    cr_assert_not_null(strstr(why, "another process"), "%s", why);
    close(fd);
    store_close(open_well());
}

Test(store_lmdb, the_directory_is_a_file)
{
    cr_assert_eq(rmdir(dir), 0);
    write_file(dir, "x", 1);
    struct store *s;
    cr_assert_eq(open_with(true, false, &s), SHUNT_IO);
    cr_assert_not_null(strstr(why, "is not a directory"), "%s", why);
}

Test(store_lmdb, read_only_store_refuses_to_write)
{
    struct store *s = open_well();
    struct store_txn *t = begin_write(s);
    put_text(t, TABLE_TOPIC, "a", "v");
    commit(t);
    store_close(s);
    cr_assert_eq(open_with(false, true, &s), 0, "%s", why);
    cr_assert_eq(store_begin(s, true, &t), SHUNT_STORE_READ_ONLY);
    cr_assert_eq(store_maintain(s), 0);
    t = begin_read(s);
    cr_assert_str_eq(dump(t, TABLE_TOPIC), "a=v");
    store_abort(t);
    store_close(s);
}

/* ---- damage ---- */

/* Make every branch page say that it has no records: only the largest table has such pages. */
static void damage_branches(void)
{
    uint64_t end = file_end();
    int fd = open(data_path(), O_RDWR);
    int damaged = 0;
    for (uint64_t at = 2 * 4096; at < end; at += 4096) {
        uint16_t head[2]; /* the page's flags, and where its records' list ends */
        cr_assert_eq(pread(fd, head, sizeof head, (off_t)at + 10), (ssize_t)sizeof head);
        if (head[0] != 1)
            continue;
        head[1] = 16;
        cr_assert_eq(pwrite(fd, head, sizeof head, (off_t)at + 10), (ssize_t)sizeof head);
        damaged++;
    }
    cr_assert(damaged > 0);
    close(fd);
}

Test(store_lmdb, damaged_page_ends_the_process_with_one_line)
{
    struct store *s = open_well();
    put_many(s, 0, 2000, 100);
    store_close(s);
    struct store_txn *t;
    int out[2];
    cr_assert_eq(pipe(out), 0);
    damage_branches();
    pid_t child = fork();
    if (child == 0) {
        dup2(out[1], STDERR_FILENO);
        struct slice v;
        if (open_with(false, false, &s) == 0 && store_begin(s, false, &t) == 0)
            (void)store_get(t, TABLE_MESSAGE, slice_of("abcd"), &v);
        _exit(0);
    }
    close(out[1]);
    int status;
    char line[1024] = "";
    ssize_t got = read(out[0], line, sizeof line - 1);
    waitpid(child, &status, 0);
    cr_assert(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
    cr_assert_eq(WEXITSTATUS(status), 65, "exit status %d", WEXITSTATUS(status));
    cr_assert(got > 0 && strstr(line, "is damaged") && strstr(line, dir), "%s", line);
    cr_assert_eq(strchr(line, '\n'), line + got - 1, "one line: %s", line);
}

/* The first branch page's second key, which divides the first leaf from the second. */
static uint64_t find_divider(uint8_t *key, size_t size)
{
    uint64_t end = file_end();
    int fd = open(data_path(), O_RDONLY);
    uint64_t found = 0;
    for (uint64_t at = 2 * 4096; at < end && !found; at += 4096) {
        uint16_t page[10], node; /* flags at 5, and from 8 on where each record is */
        cr_assert_eq(pread(fd, page, sizeof page, (off_t)at), (ssize_t)sizeof page);
        node = page[9];
        if (page[5] == 1)
            found = at + node + 8;
    }
    cr_assert(found);
    cr_assert_eq(pread(fd, key, size, (off_t)found), (ssize_t)size);
    close(fd);
    return found;
}

/* LMDB answers with the divided page's first key, which it takes for the one beyond. */
Test(store_lmdb, a_search_past_a_damaged_divider_finds_damage_and_no_lower_key)
{
    struct store *s = open_well();
    put_many(s, 0, 2000, 100);
    store_close(s);
    uint8_t key[4];
    struct slice behind = {key, sizeof key}, found, value;
    uint64_t at = find_divider(key, sizeof key);
    for (int damaged = 0; damaged < 2; damaged++) {
        s = open_well();
        struct store_txn *t = begin_read(s);
        struct store_cursor *c;
        key[sizeof key - 1]++; /* the key behind the first of the second leaf */
        cr_assert_eq(store_cursor_open(t, TABLE_MESSAGE, &c), 0);
        cr_assert_eq(store_cursor_seek(c, behind, &found, &value), damaged ? SHUNT_CORRUPT : 0);
        key[sizeof key - 1]--;
        store_cursor_close(c);
        store_abort(t);
        store_close(s);
        int fd = open(data_path(), O_WRONLY);
        uint8_t later = (uint8_t)(key[sizeof key - 1] + 3);
        cr_assert_eq(pwrite(fd, &later, 1, (off_t)at + 3), 1);
        close(fd);
    }
}

/* ---- codes and paths ---- */

Test(store_lmdb, each_code_of_lmdb_and_the_system_is_one_of_ours)
{
    static const struct {
        int code, err;
    } lmdb[] = {{0, 0},
                {MDB_NOTFOUND, SHUNT_NOT_FOUND},
                {MDB_MAP_FULL, SHUNT_NO_SPACE},
                {MDB_TXN_FULL, SHUNT_NO_SPACE},
                {ENOSPC, SHUNT_NO_SPACE},
                {EDQUOT, SHUNT_NO_SPACE},
                {EFBIG, SHUNT_NO_SPACE},
                {ENOMEM, SHUNT_NO_MEMORY},
                {MDB_READERS_FULL, SHUNT_TOO_MANY},
                {MDB_BAD_VALSIZE, SHUNT_BAD_ARGUMENT},
                {MDB_VERSION_MISMATCH, SHUNT_STORE_VERSION},
                {EROFS, SHUNT_STORE_READ_ONLY},
                {EACCES, SHUNT_STORE_READ_ONLY},
                {EPERM, SHUNT_STORE_READ_ONLY},
                {MDB_CORRUPTED, SHUNT_CORRUPT},
                {MDB_PAGE_NOTFOUND, SHUNT_CORRUPT},
                {MDB_PAGE_FULL, SHUNT_CORRUPT},
                {MDB_CURSOR_FULL, SHUNT_CORRUPT},
                {MDB_INVALID, SHUNT_CORRUPT},
                {MDB_INCOMPATIBLE, SHUNT_CORRUPT},
                {MDB_PANIC, SHUNT_IO},
                {EIO, SHUNT_IO}},
      system[] = {{ENOSPC, SHUNT_NO_SPACE},  {EDQUOT, SHUNT_NO_SPACE},       {EFBIG, SHUNT_NO_SPACE},
                  {ENOMEM, SHUNT_NO_MEMORY}, {EROFS, SHUNT_STORE_READ_ONLY}, {EACCES, SHUNT_STORE_READ_ONLY},
                  {ENOENT, SHUNT_NOT_FOUND}, {EPERM, SHUNT_STORE_READ_ONLY}, {EIO, SHUNT_IO}};
    for (size_t i = 0; i < sizeof lmdb / sizeof *lmdb; i++)
        cr_assert_eq(lmdb_error(lmdb[i].code), lmdb[i].err, "%d", lmdb[i].code);
    for (size_t i = 0; i < sizeof system / sizeof *system; i++)
        cr_assert_eq(store_file_error(system[i].code), system[i].err, "%d", system[i].code);
}

/* Every name in the directory is a little longer than the one before, so that each is the first that does not
 * fit. */
Test(store_lmdb, a_path_too_long_is_refused_in_words)
{
    char deep[STORE_PATH_BYTES + 8];
    unsigned refused = 0;
    for (size_t size = STORE_PATH_BYTES - 24; size < STORE_PATH_BYTES; size++) {
        struct store *s;
        size_t used = strlen(dir);
        memcpy(deep, dir, used);
        while (used < size) { /* "/./././" leads to the same directory */
            deep[used] = used % 2 == strlen(dir) % 2 ? '/' : '.';
            used++;
        }
        deep[size] = 0;
        int err = fixture_open_lmdb(deep, 1 << 26, &s, why);
        if (err &&
            strlen(deep) + sizeof "/data.mdb" > STORE_PATH_BYTES) { /* and where nothing would be made */
            const struct store_lmdb_options o = {.dir = deep, .map_bytes_max = 1 << 22, .read_only = true};
            cr_assert_eq(store_lmdb_open(&o, &s, why, sizeof why), SHUNT_BAD_ARGUMENT);
        }
        if (!err) {
            store_close(s);
            continue;
        }
        cr_assert(err == SHUNT_BAD_ARGUMENT, "%zu bytes: %s: %s", size, err_name(err), why);
        cr_assert(strstr(why, "too long"), "%s", why);
        refused++;
    }
    cr_assert_gt(refused, 10);
}
