/* A store's creation, cut short at every system call that changes something: whatever is left, the next start
 * succeeds, and data.mdb is never there before it is whole.
 *
 * The calls are caught by functions of the same name in this program, which LMDB's library reaches too.
 */
#include "broker/store/store_file.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum cut { CUT_NOTHING, CUT_KILL, CUT_FAIL, CUT_TRACE };

#define EXIT_CUT 42
/* Seen by LMDB's library, whatever the build hides. */
#define EXPORTED __attribute__((visibility("default")))

static enum cut cut;
static unsigned calls_left;
static int cut_errno;
static char trace[1024];

/* True if this call is to fail; does not return if the process is to end before it. */
static bool cut_here(const char *name)
{
    if (cut == CUT_TRACE) {
        strncat(trace, name, sizeof trace - strlen(trace) - 2);
        strcat(trace, " ");
    }
    if ((cut != CUT_KILL && cut != CUT_FAIL) || calls_left-- > 0)
        return false;
    if (cut == CUT_KILL)
        _exit(EXIT_CUT);
    cut = CUT_NOTHING;
    errno = cut_errno;
    return true;
}

EXPORTED int fsync(int fd)
{
    return cut_here("fsync") ? -1 : (int)syscall(SYS_fsync, fd);
}

EXPORTED int fdatasync(int fd)
{
    return cut_here("fdatasync") ? -1 : (int)syscall(SYS_fdatasync, fd);
}

EXPORTED int rename(const char *from, const char *to)
{
    return cut_here("rename") ? -1 : (int)syscall(SYS_rename, from, to);
}

EXPORTED int mkdir(const char *path, mode_t mode)
{
    return cut_here("mkdir") ? -1 : (int)syscall(SYS_mkdir, path, mode);
}

EXPORTED int unlink(const char *path)
{
    return cut_here("unlink") ? -1 : (int)syscall(SYS_unlink, path);
}

EXPORTED int rmdir(const char *path)
{
    return cut_here("rmdir") ? -1 : (int)syscall(SYS_rmdir, path);
}

EXPORTED ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    return cut_here("pwrite") ? -1 : syscall(SYS_pwrite64, fd, bytes, size, at);
}

static bool data_exists(const char *dir)
{
    char path[256];
    snprintf(path, sizeof path, "%s/" STORE_DATA_NAME, dir);
    return access(path, F_OK) == 0;
}

/* The store opens, is empty but for its version, and takes a record; nothing of the creation is left. */
static void expect_good(const char *dir, unsigned n)
{
    struct store *s;
    char why[WHY_BYTES];
    char path[256];
    int err = fixture_open_lmdb(dir, 1 << 22, &s, why);
    cr_assert_eq(err, 0, "cut at call %u: %s: %s", n, err_name(err), why);
    struct store_txn *t = begin_write(s);
    cr_assert_eq(walk(t, TABLE_META), 1);
    put_text(t, TABLE_TOPIC, "a", "v");
    commit(t);
    store_close(s);
    snprintf(path, sizeof path, "%s/" STORE_NEW_NAME, dir);
    cr_assert_neq(access(path, F_OK), 0, "cut at call %u: %s is still there", n, path);
}

/* Create in a child that is cut at call n. Returns the child's exit status. */
static int create_in_child(const char *dir, unsigned n, bool inner)
{
    pid_t child = fork();
    if (child == 0) {
        struct store *s;
        char why[WHY_BYTES];
        char sub[128];
        snprintf(sub, sizeof sub, "%s%s", dir, inner ? "/new" : "");
        cut = CUT_KILL;
        calls_left = n;
        _exit(fixture_open_lmdb(sub, 1 << 22, &s, why) == 0 ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(store_create, killed_before_any_call)
{
    unsigned n = 0;
    for (;; n++) {
        char dir[64];
        char sub[128];
        fixture_make_dir(dir, sizeof dir);
        snprintf(sub, sizeof sub, "%s/new", dir);
        int status = create_in_child(dir, n, true);
        if (status == EXIT_CUT && data_exists(sub)) {
            struct store *s;
            char why[WHY_BYTES];
            struct store_lmdb_options o = {.dir = sub, .map_bytes_max = 1 << 22, .read_only = true};
            cr_assert_eq(store_lmdb_open(&o, &s, why, sizeof why), 0, "cut at call %u: not whole: %s", n,
                         why);
            store_close(s);
        }
        expect_good(sub, n);
        fixture_remove_dir(dir);
        if (status == 0)
            break;
        cr_assert_eq(status, EXIT_CUT, "cut at call %u: exit status %d", n, status);
    }
    cr_assert(n > 10, "only %u calls were caught", n);
}

Test(store_create, killed_again_while_cleaning_up)
{
    char dir[64];
    fixture_make_dir(dir, sizeof dir);
    for (unsigned n = 0; create_in_child(dir, n, false) != 0; n++)
        cr_assert(n < 100);
    expect_good(dir, 0);
    fixture_remove_dir(dir);
}

static void fail_each_call_with(int number, int want)
{
    unsigned n = 0;
    for (;; n++) {
        char dir[64];
        struct store *s;
        char why[WHY_BYTES] = "";
        fixture_make_dir(dir, sizeof dir);
        cut = CUT_FAIL;
        cut_errno = number;
        calls_left = n;
        int err = fixture_open_lmdb(dir, 1 << 22, &s, why);
        bool reached = cut == CUT_NOTHING;
        cut = CUT_NOTHING;
        if (err == 0) {
            store_close(s);
        } else {
            cr_assert(err == want || err == SHUNT_IO, "call %u: %s: %s", n, err_name(err), why);
            cr_assert_not_null(strstr(why, dir), "call %u: %s", n, why);
        }
        expect_good(dir, n);
        fixture_remove_dir(dir);
        if (!reached)
            break;
    }
    cr_assert(n > 10);
}

Test(store_create, any_call_fails_for_want_of_space)
{
    fail_each_call_with(ENOSPC, SHUNT_NO_SPACE);
}

Test(store_create, any_call_fails_for_a_bad_disk)
{
    fail_each_call_with(EIO, SHUNT_IO);
}

Test(store_create, order_of_what_makes_it_durable)
{
    char dir[64];
    struct store *s;
    char why[WHY_BYTES];
    fixture_make_dir(dir, sizeof dir);
    cut = CUT_TRACE;
    cr_assert_eq(fixture_open_lmdb(dir, 1 << 22, &s, why), 0, "%s", why);
    cut = CUT_NOTHING;
    store_close(s);
    cr_assert(strstr(trace, "pwrite") && strstr(trace, "fdatasync"), "LMDB's calls are caught: %s", trace);
    /* File and directory before the rename, the parent after it. */
    cr_assert_not_null(strstr(trace, "fsync fsync rename fsync "), "%s", trace);
    fixture_remove_dir(dir);
}

/* A commit that fails leaves the old state on disk. */
Test(store_create, failed_commit_is_reported_and_not_there_afterwards)
{
    static const char *const numbers[] = {"ENOSPC", "EIO"};
    for (int i = 0; i < 2; i++) {
        char dir[64];
        struct store *s;
        char why[WHY_BYTES];
        fixture_make_dir(dir, sizeof dir);
        cr_assert_eq(fixture_open_lmdb(dir, 1 << 22, &s, why), 0, "%s", why);
        struct store_txn *t = begin_write(s);
        put_text(t, TABLE_TOPIC, "a", "kept");
        commit(t);
        t = begin_write(s);
        put_text(t, TABLE_TOPIC, "a", "lost");
        cut = CUT_FAIL;
        cut_errno = i == 0 ? ENOSPC : EIO;
        calls_left = 0;
        cr_assert_eq(store_commit(t), i == 0 ? SHUNT_NO_SPACE : SHUNT_IO, "%s", numbers[i]);
        cr_assert_eq(cut, CUT_NOTHING, "no call was caught");
        store_close(s);
        cr_assert_eq(fixture_open_lmdb(dir, 1 << 22, &s, why), 0, "%s", why);
        t = begin_read(s);
        expect_text(t, TABLE_TOPIC, "a", "kept");
        store_abort(t);
        store_close(s);
        fixture_remove_dir(dir);
    }
}
