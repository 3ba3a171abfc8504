/* The LMDB store's space: what it counts, how it grows, and what a full disk does to it. */
#include "broker/store/store_lmdb.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1ull << 20)

DIR_SUITE(store_space);

static struct store *open_store(uint64_t map_bytes_max)
{
    struct store *s;
    int err = fixture_open_lmdb(dir, map_bytes_max, &s, why);
    cr_assert_eq(err, 0, "%s: %s", err_name(err), why);
    return s;
}

static struct store_usage usage(struct store *s)
{
    struct store_usage u;
    store_usage(s, &u);
    return u;
}

static int put_one(struct store *s, uint32_t i, size_t value_bytes)
{
    static const uint8_t value[1 << 20];
    struct store_txn *t = begin_write(s);
    uint32_t key = __builtin_bswap32(i);
    int err = store_put(t, TABLE_MESSAGE, (struct slice){&key, 4}, (struct slice){value, value_bytes});
    if (!err)
        return store_commit(t);
    store_abort(t);
    return err;
}

static int del_one(struct store *s, uint32_t i)
{
    struct store_txn *t = begin_write(s);
    uint32_t key = __builtin_bswap32(i);
    int err = store_del(t, TABLE_MESSAGE, (struct slice){&key, 4}, NULL);
    if (!err)
        return store_commit(t);
    store_abort(t);
    return err;
}

/* The pages in LMDB's freelist and the last page's number, by walking. */
static uint64_t used_by_walking(struct store *s)
{
    MDB_envinfo info;
    MDB_cursor *c;
    MDB_val k;
    MDB_val v;
    struct store_txn *t = begin_read(s);
    cr_assert_eq(mdb_cursor_open(((struct lmdb_txn *)t)->mdb, 0, &c), 0);
    uint64_t freelist = 0;
    while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0)
        freelist += *(const size_t *)v.mv_data;
    mdb_cursor_close(c);
    store_abort(t);
    cr_assert_eq(mdb_env_info(((struct lmdb_store *)s)->env, &info), 0);
    return (info.me_last_pgno + 1 - freelist) * 4096;
}

Test(store_space, used_pages_are_counted_exactly)
{
    struct store *s = open_store(1ull << 30);
    cr_assert_eq(usage(s).used_bytes, used_by_walking(s));
    for (uint32_t i = 0; i < 300; i++) {
        cr_assert_eq(put_one(s, i * 7919 % 300, i * 37 % 20000), 0);
        if (i % 3 == 2)
            cr_assert_eq(del_one(s, (i - 1) * 7919 % 300), 0);
        cr_assert_eq(usage(s).used_bytes, used_by_walking(s), "after %u", i);
    }
    store_close(s);
}

Test(store_space, map_grows_to_its_limit_and_no_further)
{
    struct store *s = open_store(64 * MIB);
    cr_assert_eq(usage(s).map_bytes, 64 * MIB);
    cr_assert_eq(usage(s).map_bytes_max, 64 * MIB);
    store_close(s);
    s = open_store(4096 * MIB);
    cr_assert_eq(usage(s).map_bytes, 1024 * MIB, "it doubles until enough lies ahead");
    store_close(s);
}

Test(store_space, map_is_not_moved_under_a_reader)
{
    struct store *s = open_store(MIB);
    struct lmdb_store *inside = (struct lmdb_store *)s;
    cr_assert_eq(put_one(s, 1, 1000), 0);
    struct store_txn *reader = begin_read(s);
    struct slice v;
    uint32_t key = __builtin_bswap32(1);
    cr_assert_eq(store_get(reader, TABLE_MESSAGE, (struct slice){&key, 4}, &v), 0);
    inside->map_bytes_max = 64 * MIB;
    cr_assert_eq(store_maintain(s), 0);
    cr_assert_eq(usage(s).map_bytes, MIB);
    cr_assert_eq(((const uint8_t *)v.data)[999], 0); /* still mapped */
    store_abort(reader);
    cr_assert_eq(store_maintain(s), 0);
    cr_assert_eq(usage(s).map_bytes, 64 * MIB);
    for (uint32_t i = 0; i < 40; i++)
        cr_assert_eq(put_one(s, i, MIB), 0, "the larger map can be used");
    store_close(s);
    s = open_store(64 * MIB);
    cr_assert_eq(put_one(s, 50, MIB), 0);
    store_close(s);
}

Test(store_space, full_map_can_be_left_by_a_larger_one)
{
    struct store *s = open_store(MIB);
    uint32_t n = 0;
    while (put_one(s, n, 3000) == 0)
        n++;
    cr_assert(n > 100);
    store_close(s);
    s = open_store(4 * MIB);
    for (uint32_t i = 0; i < n; i++)
        cr_assert_eq(del_one(s, i), 0);
    store_close(s);
}

Test(store_space, a_reader_sees_the_store_as_it_was)
{
    struct store *s = open_store(64 * MIB);
    struct store_txn *old = begin_read(s);
    cr_assert_eq(put_one(s, 1, 10), 0);
    struct store_txn *young = begin_read(s);
    cr_assert_eq(put_one(s, 2, 10), 0);
    uint64_t seen, tables;
    expect_text(old, TABLE_MESSAGE, "\1", NULL);
    cr_assert_eq(store_count(old, TABLE_MESSAGE, &tables, &seen), 0);
    cr_assert_eq(seen, 0);
    store_abort(old);
    cr_assert_eq(store_count(young, TABLE_MESSAGE, &tables, &seen), 0);
    cr_assert_eq(seen, 1);
    store_abort(young);
    store_close(s);
}

/* Of the file, what the disk has given and is not used: what a transaction can have without asking for more. */
static uint64_t aside(struct store *s)
{
    struct store_usage u = usage(s);
    return u.usable_bytes - u.unasked_bytes;
}

Test(store_space, an_empty_store_takes_a_few_mib_of_the_disk)
{
    for (int i = 0; i < 3; i++) { /* and no more when it is opened again */
        struct store *s = open_store(4096 * MIB);
        cr_assert_leq(usage(s).allocated_bytes, 8 * MIB);
        cr_assert_geq(aside(s), 6 * MIB);
        cr_assert_geq(usage(s).free_bytes, 1000 * MIB, "it can have more");
        store_close(s);
    }
}

Test(store_space, file_is_allocated_ahead_and_the_more_so_the_more_is_in_it)
{
    struct store *s = open_store(1ull << 30);
    for (uint32_t i = 0; i < 100; i++) {
        cr_assert_eq(put_one(s, i, MIB), 0);
        cr_assert_eq(store_maintain(s), 0);
        uint64_t used = usage(s).used_bytes;
        cr_assert_geq(aside(s), used < 64 * MIB ? (used > 6 * MIB ? used : 6 * MIB) : 64 * MIB, "%u", i);
        cr_assert_leq(usage(s).allocated_bytes, used + 84 * MIB);
    }
    store_close(s);
    s = open_store(8 * MIB);
    cr_assert(usage(s).map_bytes >= 30 * MIB, "never smaller than what is in it");
    store_close(s);
}

/* ---- a full disk ---- */

/* Fill up, as far as the disk gives room; then empty; every commit must succeed. */
static void fill_and_drain(struct store *s, uint64_t disk_bytes)
{
    cr_assert_eq(store_set_aside(s, disk_bytes), SHUNT_NO_SPACE);
    struct store_usage u = usage(s);
    cr_assert(u.disk_full && !u.unasked_bytes);
    cr_assert(u.free_bytes < disk_bytes && u.free_bytes > disk_bytes / 4, "%llu free on a disk of %llu",
              (unsigned long long)u.free_bytes, (unsigned long long)disk_bytes);
    uint32_t n = 0;
    for (; aside(s) > MIB; n++) {
        int err = put_one(s, n, 50000);
        cr_assert_eq(err, 0, "%s after %u with %llu free", err_name(err), n,
                     (unsigned long long)usage(s).free_bytes);
        (void)store_maintain(s); /* NO_SPACE: known */
    }
    cr_assert(n > 20, "only %u", n);
    cr_assert(usage(s).disk_full);
    cr_assert_lt(usage(s).free_bytes, disk_bytes);
    for (uint32_t i = 0; i < n; i++) {
        int err = del_one(s, i);
        cr_assert_eq(err, 0, "%s deleting %u", err_name(err), i);
    }
    cr_assert(usage(s).free_bytes > disk_bytes / 2);
    cr_assert_eq(put_one(s, 0, 50000), 0, "freed pages are used again");
}

Test(store_space, limit_on_file_size_refuses_nothing_accepted)
{
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){16 * MIB, RLIM_INFINITY}), 0);
    struct store *s = open_store(1ull << 30);
    fill_and_drain(s, 16 * MIB);
    store_close(s);
}

/* Mount a small disk of our own on `dir`; false where that is not permitted. `dir` is then gone: a test that
 * is skipped does not come to the end of its fixture. */
static bool mount_disk(unsigned long flags, const char *options)
{
    bool mounted = unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                   mount("tmpfs", dir, "tmpfs", flags, options) == 0;
    if (!mounted)
        fixture_remove_dir(dir);
    return mounted;
}

Test(store_space, full_disk_refuses_nothing_accepted)
{
    if (!mount_disk(0, "size=16m"))
        cr_skip_test("mounting is not permitted here");
    struct store *s = open_store(1ull << 30);
    fill_and_drain(s, 16 * MIB);
    store_close(s);
    s = open_store(1ull << 30); /* a full disk is no reason not to start */
    store_close(s);
    cr_assert_eq(umount(dir), 0);
}

Test(store_space, disk_filled_by_others_does_not_touch_what_is_set_aside)
{
    if (!mount_disk(0, "size=96m"))
        cr_skip_test("mounting is not permitted here");
    struct store *s = open_store(1ull << 30);
    cr_assert_eq(store_set_aside(s, 64 * MIB), 0);
    char path[128];
    snprintf(path, sizeof path, "%s/filler", dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    static const char zeros[65536];
    while (write(fd, zeros, sizeof zeros) > 0)
        continue;
    for (uint32_t i = 0; i < 40; i++) {
        cr_assert_eq(put_one(s, i, MIB), 0);
        (void)store_maintain(s); /* NO_SPACE, once the headroom is touched */
    }
    cr_assert_eq(store_maintain(s), SHUNT_NO_SPACE);
    cr_assert(usage(s).free_bytes < 48 * MIB);
    cr_assert_eq(ftruncate(fd, 0), 0);
    cr_assert_eq(store_maintain(s), SHUNT_NO_SPACE, "there is still not all that is due");
    cr_assert_eq(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=256m"), 0);
    cr_assert_eq(store_maintain(s), 0, "and a larger disk ends it");
    cr_assert(usage(s).free_bytes > 512 * MIB);
    close(fd);
    store_close(s);
    cr_assert_eq(umount(dir), 0);
}

Test(store_space, what_is_asked_for_is_had_or_known_to_be_refused_and_asked_for_again)
{
    if (!mount_disk(0, "size=48m"))
        cr_skip_test("mounting is not permitted here");
    struct store *s = open_store(1ull << 30);
    cr_assert_eq(store_set_aside(s, 20 * MIB), 0);
    cr_assert_geq(aside(s), 20 * MIB);
    for (uint32_t i = 0; i < 20; i++) { /* it is kept */
        cr_assert_eq(put_one(s, 0, MIB), 0);
        cr_assert_eq(store_maintain(s), 0);
        cr_assert_geq(aside(s), 18 * MIB);
    }
    cr_assert_eq(store_set_aside(s, 64 * MIB), SHUNT_NO_SPACE);
    cr_assert(usage(s).disk_full);
    uint64_t had = aside(s);
    cr_assert_geq(had, 30 * MIB, "as much as there was");
    cr_assert_eq(store_maintain(s), SHUNT_NO_SPACE, "it is still wanted");
    cr_assert_eq(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=128m"), 0);
    cr_assert_eq(store_maintain(s), 0);
    cr_assert(!usage(s).disk_full);
    cr_assert_geq(aside(s), 64 * MIB);
    store_close(s);
    cr_assert_eq(umount(dir), 0);
}

Test(store_space, no_room_even_to_create)
{
    if (!mount_disk(0, "size=16k"))
        cr_skip_test("mounting is not permitted here");
    struct store *s;
    int err = fixture_open_lmdb(dir, 1ull << 30, &s, why);
    cr_assert(err == SHUNT_NO_SPACE || err == SHUNT_IO, "%s: %s", err_name(err), why);
    cr_assert_not_null(strstr(why, dir), "%s", why);
    cr_assert_eq(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=64m"), 0);
    s = open_store(1ull << 30);
    store_close(s);
    cr_assert_eq(umount(dir), 0);
}

Test(store_space, read_only_medium)
{
    if (!mount_disk(0, "size=128m"))
        cr_skip_test("mounting is not permitted here");
    struct store *s = open_store(1ull << 30);
    cr_assert_eq(put_one(s, 1, 100), 0);
    store_close(s);
    cr_assert_eq(mount("none", dir, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    cr_assert_eq(fixture_open_lmdb(dir, 1ull << 30, &s, why), SHUNT_STORE_READ_ONLY);
    cr_assert_not_null(strstr(why, dir), "%s", why);
    struct store_lmdb_options o = {
        .dir = dir, .map_bytes = MIB, .map_bytes_max = 1ull << 30, .read_only = true};
    cr_assert_eq(store_lmdb_open(&o, &s, why, sizeof why), 0, "%s", why);
    struct store_txn *t = begin_read(s);
    uint64_t n, tables;
    cr_assert_eq(store_count(t, TABLE_MESSAGE, &tables, &n), 0);
    cr_assert_eq(n, 1);
    store_abort(t);
    store_close(s);
    cr_assert_eq(umount(dir), 0);
}

/* Another process that reads the store, until it is killed. */
static pid_t read_beside(void)
{
    int ready[2];
    char byte = 0;
    cr_assert_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct store_lmdb_options o = {
            .dir = dir, .map_bytes = MIB, .map_bytes_max = 64 * MIB, .read_only = true, .beside = true};
        struct store *s;
        struct store_txn *t;
        if (store_lmdb_open(&o, &s, why, sizeof why) != 0 || store_begin(s, false, &t) != 0 ||
            write(ready[1], &byte, 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    (void)close(ready[1]);
    cr_assert_eq(read(ready[0], &byte, 1), 1, "the other process could not read");
    (void)close(ready[0]);
    return child;
}

Test(store_space, what_a_reader_in_another_process_keeps_counts_as_used_until_it_ends)
{
    struct store *s = open_store(64 * MIB);
    for (uint32_t i = 0; i < 100; i++)
        cr_assert_eq(put_one(s, i, 3000), 0);
    for (uint32_t i = 0; i < 100; i++) /* without it, pages are used again */
        cr_assert_eq(put_one(s, i, 3000), 0);
    uint64_t before = usage(s).used_bytes;
    pid_t child = read_beside();
    uint64_t last = before;
    for (uint32_t i = 0; i < 100; i++) {
        cr_assert_eq(put_one(s, i, 3000), 0);
        uint64_t used = usage(s).used_bytes;
        cr_assert_geq(used, last);
        last = used;
    }
    cr_expect_geq(last, before + 100 * 4096);
    cr_expect_eq(usage(s).used_bytes, last, "what is counted is counted once");
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_expect_leq(usage(s).used_bytes, before + 16 * 4096);
    store_close(s);
}
