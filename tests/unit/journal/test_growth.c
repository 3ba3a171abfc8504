/* How the journal's file becomes longer: by blocks that are written or only set aside, and again when a full disk has room. */
#include "base/slice.h"
#include "broker/journal/file_memory.h"
#include "broker/journal/journal_layout.h"
#include "broker/journal/store_journal.h"
#include "proto/errors.h"

#include <criterion/criterion.h>
#include <string.h>

#define MIB (1ull << 20)

/* Operations have no context, and there is one store at a time. */
static struct {
    struct journal_file_ops file, file_true;
    struct store_ops behind;
    uint64_t zeros; /* bytes written that are of no record, no head block and no mark */
    bool full;      /* the disk */
    unsigned asked, refused;
} rig;

static int counting_write(struct journal_file *f, uint64_t at, const struct iovec *parts, int count)
{
    uint64_t magic = get_be64((const uint8_t *)parts[0].iov_base + HEAD_MAGIC);
    for (int i = 0; i < count && magic != MAGIC_RECORD && magic != MAGIC_FILE && magic != MAGIC_MARK; i++)
        rig.zeros += parts[i].iov_len;
    return rig.file_true.write(f, at, parts, count);
}

static int full_allocate(struct journal_file *f, uint64_t from, uint64_t to, bool *ret_done)
{
    rig.asked++;
    rig.refused += rig.full;
    return rig.full ? SHUNT_NO_SPACE : rig.file_true.allocate(f, from, to, ret_done);
}

static uint64_t disk_free(struct store *s)
{
    (void)s;
    return rig.full ? MIB : 1024 * MIB;
}

static struct store *opened(uint64_t bytes)
{
    struct journal_file *file = journal_file_memory(bytes);
    struct store *behind = store_memory_open(1024 * MIB), *s;
    char why[512];
    cr_assert(file && behind);
    rig.file = rig.file_true = *file->ops;
    rig.file.write = counting_write;
    rig.file.allocate = full_allocate;
    file->ops = &rig.file;
    rig.behind = *behind->ops;
    rig.behind.disk_free = disk_free;
    behind->ops = &rig.behind;
    struct store_journal_options o = {.behind = behind,
                                      .file = file,
                                      .dir = "a test",
                                      .bytes = bytes,
                                      .memory_bytes = 8 * MIB,
                                      .create = true};
    cr_assert_eq(store_journal_open(&o, &s, why, sizeof why), 0, "%s", why);
    rig.zeros = 0;
    return s;
}

static struct store_journal_state state_of(struct store *s)
{
    struct store_journal_state state;
    cr_assert(store_journal_state(s, &state));
    return state;
}

static uint64_t file_bytes(struct store *s)
{
    return state_of(s).file_bytes;
}

static void write_one(struct store *s, unsigned number, size_t size)
{
    struct store_txn *t;
    void *to;
    struct slice key = {(const char *)&number, sizeof number};
    cr_assert_eq(store_begin(s, true, &t), 0);
    cr_assert_eq(store_reserve(t, TABLE_MESSAGE, key, size, false, &to), 0);
    memset(to, 'x', size);
    cr_assert_eq(store_commit(t), 0, "record %u", number);
    cr_assert_eq(store_maintain(s), 0);
    (void)store_journal_step(s);
}

/* Messages that nobody consumes. Returns how much longer it has become. */
static uint64_t fill(struct store *s, uint64_t bytes, size_t size)
{
    uint64_t before = file_bytes(s);
    for (unsigned n = 0; n < bytes / journal_record_bytes(size); n++)
        write_one(s, n, size);
    return file_bytes(s) - before;
}

Test(journal_growth, short_records_find_written_blocks)
{
    struct store *s = opened(64 * MIB);
    uint64_t grown = fill(s, 16 * MIB, 3000);
    cr_assert_geq(grown, 12 * MIB);
    cr_assert_geq(rig.zeros, grown);
    store_close(s);
}

/* A message that stays in a block of its own would make the file as long as it may become, and each block is written ahead first. */
Test(journal_growth, records_that_are_mostly_padding_need_no_long_file)
{
    struct store_journal_state state;
    struct store *s = opened(256 * MIB);
    uint64_t grown = fill(s, 64 * MIB, 100);
    cr_assert_leq(grown, 12 * MIB, "%llu MiB more", (unsigned long long)(grown / MIB));
    cr_assert(store_journal_state(s, &state));
    cr_assert_eq(state.stubs, 0);
    cr_assert_eq(state.kept_bytes, 0);
    cr_assert_geq(state.merges, 12);
    store_close(s);
}

Test(journal_growth, long_records_are_written_once)
{
    struct store *s = opened(64 * MIB);
    uint64_t grown = fill(s, 32 * MIB, 256u << 10);
    cr_assert_geq(grown, 12 * MIB);
    cr_assert_eq(rig.zeros, 0, "%llu bytes of zeros for %llu more", (unsigned long long)rig.zeros,
                 (unsigned long long)grown);
    store_close(s);
}

/* While the file is made longer no generation is put away, so the engine may wait for the one and the other. */
Test(journal_growth, a_long_file_grows_by_small_steps)
{
    struct store *s = opened(256 * MIB);
    uint64_t before = file_bytes(s), most = 0;
    for (unsigned n = 0; file_bytes(s) < 64 * MIB; n++) {
        cr_assert_lt(n, 2048u, "it stays at %llu MiB", (unsigned long long)(file_bytes(s) / MIB));
        write_one(s, n, 256u << 10);
        uint64_t more = file_bytes(s) - before;
        most = more > most ? more : most;
        before += more;
    }
    cr_assert_eq(most, 16 * MIB, "%llu MiB at once", (unsigned long long)(most / MIB));
    store_close(s);
}

Test(journal_growth, what_a_full_disk_refused_is_tried_again_when_it_has_room)
{
    struct store *s = opened(64 * MIB);
    rig.full = true;
    cr_assert_eq(fill(s, 16 * MIB, 64u << 10), 0);
    cr_assert_eq(rig.refused, 1, "asked %u times while there was no room", rig.refused);
    rig.full = false;
    cr_assert_geq(fill(s, 16 * MIB, 64u << 10), 4 * MIB);
    store_close(s);
}

/* A commit of which nothing stays in the file when it is in the store behind. */
static void commit_one(struct store *s, unsigned number)
{
    static const uint8_t value[64u << 10];
    struct store_txn *t;
    struct slice key = {&number, sizeof number};
    cr_assert_eq(store_begin(s, true, &t), 0);
    cr_assert_eq(store_put(t, TABLE_HISTORY, key, (struct slice){value, sizeof value}), 0);
    cr_assert_eq(store_commit(t), 0, "record %u", number);
}

/* Records that began again at the front go on up to the first needed one, wherever the file ends. So a commit that finds no room waits until
 * that one is no longer needed, and not for a longer file as well. */
Test(journal_growth, a_commit_does_not_wait_for_a_longer_file_that_would_not_help)
{
    struct store *s = opened(64 * MIB);
    unsigned n = 0;
    rig.full = true; /* the file stays as it is, and generations are small */
    for (; n < 50; n++) {
        commit_one(s, n);
        cr_assert_eq(store_maintain(s), 0);
        while (store_journal_step(s))
            cr_assert_eq(store_maintain(s), 0);
    }
    while (!state_of(s).frozen_bytes) {
        commit_one(s, n++);
        cr_assert_eq(store_maintain(s), 0);
    }
    rig.full = false;
    cr_assert_eq(store_maintain(s), 0); /* that there is room again is seen here */
    struct store_journal_state before = state_of(s);
    cr_assert_eq(before.file_bytes, 4 * MIB);
    cr_assert(before.frozen_bytes);
    rig.asked = 0;
    for (unsigned end = n + 64; state_of(s).waits == before.waits; n++) {
        cr_assert_lt(n, end, "no commit had to wait");
        commit_one(s, n);
    }
    cr_assert_eq(rig.asked, 0, "the disk was asked for more %u times", rig.asked);
    cr_assert_eq(state_of(s).frozen_bytes, 0);
    cr_assert_eq(state_of(s).file_bytes, before.file_bytes);
    store_close(s);
}
