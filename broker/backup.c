/* backup: reading one snapshot, writing it into a new store, and giving that its name when it has been checked.
 *
 * It is a process of its own, so the server cannot be hurt by it: the two share LMDB's table of readers, which keeps the pages of the
 * snapshot, and nothing else. What only the journal has, and messages that stay in it, are read from its file. Records of which only messages are needed stay while the snapshot is read; while the others are read, the server may put records away and
 * write over them; then it does not fit the snapshot any more, and another one is taken.
 *
 * Rows are copied in the order of their keys, so the pages of the copy are full. What a snapshot costs is that the server cannot use pages
 * again that it frees meanwhile. If its file grew because of that until it came near its limit, the server would refuse publishes; the
 * backup ends before.
 */
#include "broker/backup.h"

#include "base/slice.h"
#include "broker/backup_dir.h"
#include "broker/backup_mark.h"
#include "broker/check.h"
#include "broker/damage_guard.h"
#include "broker/exit_code.h"
#include "broker/journal/generation.h"
#include "broker/journal/store_journal.h"
#include "broker/store/store_file.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WHY_BYTES     (STORE_PATH_BYTES + 1024)
#define SNAPSHOTS_MAX 20         /* tries to read a journal that goes on meanwhile */
#define BATCH_BYTES   (4u << 20) /* of rows in one transaction of the copy */
#define PAUSE_NS_MAX  100000000  /* between looks at how far the store has grown */
#define AHEAD_BYTES   (64ull << 20)

#define WHY(...) (void)snprintf(b->why, sizeof b->why, __VA_ARGS__)

struct backup {
    const struct backup_options *o;
    const char *from;
    struct backup_dir dir;
    char why[WHY_BYTES];
    struct store *behind, *source, *copy; /* source: behind, or with a journal over it */
    struct store_txn *read, *write;
    uint64_t end;                 /* of the store's last page, when the copying began */
    uint64_t rows, bytes, total;  /* copied, and about how many bytes there are */
    size_t batch_bytes, in_batch; /* of rows */
    int64_t begun_ns, shown_s;
    bool terminal;
    bool found; /* a store, which is this user's */
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* always there */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void pause_ns(int64_t ns)
{
    struct timespec t = {.tv_nsec = ns < PAUSE_NS_MAX ? ns : PAUSE_NS_MAX};
    (void)nanosleep(&t, NULL); /* a signal ends it earlier */
}

/* ---- the snapshot ---- */

/* Files that this process makes beside the store, above all LMDB's table of readers, must be ones that the server can open. */
static int check_user(struct backup *b)
{
    char path[STORE_PATH_BYTES];
    struct stat st;
    int err = store_file_join(path, b->from, STORE_DATA_NAME, b->why, sizeof b->why);
    if (err)
        return err;
    if (stat(path, &st) != 0)
        return store_file_failed("look at", path, b->why, sizeof b->why);
    if (st.st_uid == geteuid())
        return 0;
    WHY("the store in %s belongs to user %ld, and this process is user %ld: run it as that user, for example "
        "with "
        "runuser -u or sudo -u",
        b->from, (long)st.st_uid, (long)geteuid());
    return SHUNT_STORE_READ_ONLY;
}

static void snapshot_close(struct backup *b)
{
    if (b->read)
        store_abort(b->read);
    store_close(b->source);
    b->read = NULL;
    b->source = b->behind = NULL;
}

/* Where the journal begins that goes with the store; number 0: there is none. */
static int journal_begins(struct store *behind, struct journal_place *ret)
{
    struct journal_meta meta = {0};
    struct store_txn *txn;
    *ret = meta.from;
    int err = store_begin(behind, false, &txn);
    if (err)
        return err;
    err = journal_meta_read(txn, &meta);
    store_abort(txn);
    *ret = err ? (struct journal_place){0} : meta.from;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* One try. *ret_again: it failed, or does not fit together, as it can when the server puts records away meanwhile. */
static int snapshot_try(struct backup *b, bool *ret_again)
{
    const struct config *c = b->o->config;
    struct store_lmdb_options lmdb = {.dir = b->from,
                                      .map_bytes = (uint64_t)c->number[CONFIG_map_bytes],
                                      .map_bytes_max = (uint64_t)c->number[CONFIG_map_bytes_max],
                                      .read_only = true,
                                      .beside = true};
    struct store_journal_options journal = {.dir = b->from,
                                            .bytes = (uint64_t)c->number[CONFIG_journal_bytes],
                                            .memory_bytes = (uint64_t)c->number[CONFIG_journal_memory],
                                            .read_only = true};
    struct journal_place before, after;
    int err = store_lmdb_open(&lmdb, &journal.behind, b->why, sizeof b->why);
    if (!err) {
        b->behind = journal.behind;
        err = journal_begins(b->behind, &before);
        if (err)
            store_close(b->behind);
    }
    if (!err)
        err = store_journal_open(&journal, &b->source, b->why, sizeof b->why);
    if (!err)
        err = store_begin(b->source, false, &b->read);
    if (!err)
        err = journal_begins(b->behind, &after);
    bool moved = !err && after.number != before.number;
    *ret_again = moved || (err && err != SHUNT_NOT_FOUND && err != SHUNT_STORE_VERSION &&
                           err != SHUNT_STORE_READ_ONLY && err != SHUNT_NO_MEMORY);
    if (moved) {
        WHY("the server puts its journal away faster than it is read: try again when there is less load");
        err = SHUNT_IO;
    }
    if (err)
        snapshot_close(b);
    return err;
}

static int snapshot_open(struct backup *b)
{
    bool again = true;
    int err = 0;
    for (int i = 0; again && i < SNAPSHOTS_MAX && !stopped; i++)
        err = snapshot_try(b, &again);
    if (!b->source)
        return err ? err : SHUNT_CLOSED;
    b->why[0] = '\0'; /* of earlier tries */
    struct store_usage usage;
    (void)store_lmdb_ahead(b->behind, &b->end);
    store_usage(b->source, &usage);
    b->total = usage.used_bytes;
    return 0;
}

/* ---- the copy's directory ---- */

static int copy_begin(struct backup *b)
{
    const struct config *c = b->o->config;
    struct store_lmdb_options copy = {.dir = b->dir.partial,
                                      .map_bytes = (uint64_t)c->number[CONFIG_map_bytes],
                                      .map_bytes_max = (uint64_t)c->number[CONFIG_map_bytes_max],
                                      .create = true};
    int err = backup_dir_begin(&b->dir, b->why, sizeof b->why);
    return err ? err : store_lmdb_open(&copy, &b->copy, b->why, sizeof b->why);
}

static void copy_remove(struct backup *b)
{
    if (b->write)
        store_abort(b->write);
    store_close(b->copy);
    backup_dir_remove(&b->dir);
}

/* ---- rows ---- */

static void show(struct backup *b, bool last)
{
    int64_t seconds = (now_ns() - b->begun_ns) / 1000000000;
    if (!b->terminal || (!last && seconds == b->shown_s))
        return;
    b->shown_s = seconds;
    uint64_t percent = b->total > b->bytes ? b->bytes * 100 / b->total : 99;
    (void)fprintf(stderr, "\r%3" PRIu64 " %%  %" PRIu64 " rows, %" PRIu64 " MiB, %" PRId64 " s%s",
                  last ? 100 : percent, b->rows, b->bytes >> 20, seconds, last ? "\n" : "");
}

/* Whether to go on. */
static int look(struct backup *b)
{
    uint64_t end, limit = (uint64_t)b->o->config->number[CONFIG_map_bytes_max];
    uint64_t least = limit / 8 > AHEAD_BYTES ? limit / 8 : AHEAD_BYTES;
    if (least > limit / 4)
        least = limit / 4;
    if (stopped) {
        WHY("the backup was stopped: nothing is left of it");
        return SHUNT_CLOSED;
    }
    uint64_t ahead = store_lmdb_ahead(b->behind, &end);
    if (end <= b->end || ahead >= least)
        return 0;
    WHY("the store in %s grew while it was copied, because what the copy reads cannot be written over, and "
        "has only %" PRIu64 " MiB left to grow: make room on its disk or raise map-size-max, or try when "
        "there is less load, without a rate",
        b->from, ahead >> 20);
    return SHUNT_NO_SPACE;
}

/* LMDB says that the system failed when the disk took a part of what it wrote. */
static int write_failed(struct backup *b, int err)
{
    struct store_usage usage;
    store_usage(b->copy, &usage);
    if (err == SHUNT_IO && usage.disk_full)
        err = SHUNT_NO_SPACE;
    WHY("cannot write %s: %s: make room there, or look at its disk", b->dir.partial, err_text(err));
    return err;
}

/* What was put is durable; wait until the rate allows more. */
static int batch_end(struct backup *b)
{
    int err = store_commit(b->write);
    b->write = NULL;
    b->in_batch = 0;
    if (!err) {
        err = store_maintain(b->copy);
        err = err == SHUNT_NO_SPACE ? 0 : err; /* a put says so if it matters */
    }
    if (err)
        err = write_failed(b, err);
    while (!err) {
        int64_t due_ns = b->begun_ns;
        err = look(b);
        if (b->o->rate)
            due_ns += (int64_t)((double)b->bytes / (double)b->o->rate * 1e9);
        int64_t left_ns = due_ns - now_ns();
        if (err || left_ns <= 0)
            break;
        pause_ns(left_ns);
        show(b, false);
        atomic_fetch_add(&check_rows_read, 1); /* it waits, and is not lost among damaged pages */
    }
    return err;
}

static bool is_stores_own(enum store_table table, struct slice key)
{
    return table == TABLE_META && (slice_is(key, STORE_VERSION_KEY) || slice_is(key, STORE_JOURNAL_KEY));
}

static int copy_row(struct backup *b, enum store_table table, struct slice key, struct slice value)
{
    void *to;
    int err = b->write ? 0 : store_begin(b->copy, true, &b->write);
    if (!err)
        err = store_reserve(b->write, table, key, value.size, true, &to);
    if (err)
        return write_failed(b, err);
    if (value.size)
        memcpy(to, value.data, value.size);
    b->rows++;
    b->bytes += key.size + value.size;
    b->in_batch += key.size + value.size;
    atomic_fetch_add(&check_rows_read, 1);
    show(b, false);
    return b->in_batch < b->batch_bytes ? 0 : batch_end(b);
}

static int copy_table(struct backup *b, enum store_table table)
{
    struct store_cursor *cursor;
    struct slice key, value;
    int err = store_cursor_open(b->read, table, &cursor);
    if (err)
        return err;
    err = store_cursor_next(cursor, &key, &value);
    while (!err) {
        if (!is_stores_own(table, key))
            err = copy_row(b, table, key, value);
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

static int copy_rows(struct backup *b)
{
    int err = 0;
    b->batch_bytes = BATCH_BYTES;
    if (b->o->rate && b->o->rate / 4 < b->batch_bytes)
        b->batch_bytes = (size_t)(b->o->rate / 4);
    for (unsigned i = 0; i < TABLE_COUNT && !err; i++)
        err = copy_table(b, (enum store_table)i);
    if (!err && b->write)
        err = batch_end(b);
    if (err && !b->why[0]) {
        WHY("cannot read the store in %s: %s: stop the server and look with shuntd --check", b->from,
            err_text(err));
    }
    return err;
}

/* ---- the end ---- */

static int verify(struct backup *b)
{
    uint64_t problems = 0;
    const struct config *c = b->o->config;
    struct store_lmdb_options lmdb = {.dir = b->dir.partial,
                                      .map_bytes = (uint64_t)c->number[CONFIG_map_bytes],
                                      .map_bytes_max = (uint64_t)c->number[CONFIG_map_bytes_max],
                                      .read_only = true};
    int err = store_lmdb_open(&lmdb, &b->copy, b->why, sizeof b->why);
    if (err)
        return err;
    err = check_store(b->copy, stdout, &problems);
    store_close(b->copy);
    b->copy = NULL;
    if (!err && fflush(stdout) != 0)
        err = SHUNT_IO;
    if (err)
        WHY("the check of %s could not be finished: %s", b->dir.partial, err_text(err));
    if (err || !problems)
        return err;
    WHY("what was read of the store in %s is damaged, as the lines above say, so it was not kept: stop the "
        "server and look "
        "with shuntd --check; an earlier backup is the way back",
        b->from);
    return SHUNT_CORRUPT;
}

static int make(struct backup *b)
{
    int err = check_user(b);
    b->found = !err;
    if (!err)
        err = backup_dir_check(&b->dir, b->why, sizeof b->why);
    if (!err)
        err = snapshot_open(b);
    if (err)
        return err;
    err = copy_begin(b);
    if (err == SHUNT_STORE_LOCKED) /* it is another one's */
        return err;
    b->begun_ns = now_ns();
    if (!err)
        err = copy_rows(b);
    if (!err)
        show(b, true);
    else if (b->terminal)
        (void)fputc('\n', stderr);
    if (!err) {
        store_close(b->copy);
        b->copy = NULL;
        snapshot_close(b); /* the server needs its pages */
        err = verify(b);
    }
    if (!err)
        err = backup_dir_end(&b->dir, b->why, sizeof b->why);
    if (err)
        copy_remove(b);
    return err;
}

/* For the server to show. Where there is no store, or another user's, nothing is left. */
static void note(const struct backup *b, int err)
{
    char why[WHY_BYTES] = "";
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* always there */
    int64_t wall_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (b->found &&
        backup_mark_write(b->from, err ? BACKUP_FAILED : BACKUP_SUCCEEDED, wall_ms, why, sizeof why) != 0) {
        (void)fprintf(stderr,
                      "shuntd: how the backup ended is in its exit status, and will not be in the server's "
                      "metrics: %s\n",
                      why);
    }
}

int backup_run(const struct backup_options *options)
{
    struct backup b = {
        .o = options, .from = options->config->text[CONFIG_data], .terminal = isatty(STDERR_FILENO) == 1};
    struct sigaction end = {.sa_handler = on_signal};
    (void)sigemptyset(&end.sa_mask);
    (void)sigaction(SIGINT, &end, NULL); /* none of these can fail for a signal that there is */
    (void)sigaction(SIGTERM, &end, NULL);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    damage_guard(b.from);
    if (!backup_dir_init(&b.dir, options->to)) {
        (void)fprintf(stderr, "shuntd: --backup: the name of the directory is empty or too long\n");
        return EXIT_CODE_USAGE;
    }
    int err = make(&b);
    snapshot_close(&b);
    note(&b, err);
    if (!err &&
        printf("backed up %s to %s: %" PRIu64 " rows, %" PRIu64 " bytes, %" PRId64 " ms\n", b.from,
               options->to, b.rows, b.bytes, (now_ns() - b.begun_ns) / 1000000) >= 0 &&
        fflush(stdout) == 0)
        return EXIT_CODE_OK;
    if (!err)
        return EXIT_CODE_IO;
    (void)fprintf(stderr, "shuntd: %s\n", b.why[0] ? b.why : err_text(err));
    return err == SHUNT_CLOSED         ? EXIT_CODE_CUT_SHORT
           : err == SHUNT_BAD_ARGUMENT ? EXIT_CODE_USAGE
                                       : exit_code_of(err);
}
