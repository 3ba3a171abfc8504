/* Determinism: the batches of a run, written as bytes and read back, give the same store elsewhere. */
#include "tests/unit/core/ledger_log.h"
#include "tests/unit/core/ledger_traffic.h"

#include <ftw.h>
#include <stdio.h>

/* One run of random traffic; returns the hash of its store. */
static uint64_t run(struct log *log, uint64_t seed, unsigned batches)
{
    struct fixture f;
    struct traffic t;
    fixture_init(&f);
    f.quiet = true;
    f.tap = record;
    f.tap_context = log;
    fixture_run(&f, (struct command){.kind = COMMAND_LIMITS, .limits = {100, 10, 1 << 20, 3600000, 0, 0}});
    traffic_init(&t, &f, seed);
    for (unsigned i = 0; i < batches; i++) {
        size_t count = traffic_next(&t);
        f.careless = i % 16 != 0;
        fixture_apply(&f, t.commands, count);
    }
    /* A change, so that index and time are stored. */
    f.careless = false;
    fixture_at(&f, f.now_ms + 100000);
    fixture_run(&f, (struct command){.kind = COMMAND_LIMITS, .limits = {77, 7, 777, 7777, 0, 0}});
    cr_assert(f.changed);
    uint64_t hash = state_hash(f.store);
    traffic_done(&t);
    fixture_done(&f);
    return hash;
}

Test(ledger_replay, a_second_store_comes_out_the_same)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct log *log = calloc(1, sizeof *log);
        uint64_t hash = run(log, seed, 3000);
        cr_assert_eq(replay_in_memory(log, 0), hash, "seed %llu", (unsigned long long)seed);
        cr_assert_eq(replay_in_memory(log, 1), hash, "seed %llu, loaded anew after each batch",
                     (unsigned long long)seed);
        cr_assert_eq(replay_in_memory(log, 113), hash, "seed %llu, loaded anew now and then",
                     (unsigned long long)seed);
        mpack_buffer_done(&log->bytes);
        free(log);
    }
}

/* A command that comes late, or twice, does nothing. */
Test(ledger_replay, a_verdict_holds_for_one_delivery_alone)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 2, 1);
    uint32_t group = fixture_group(&f, "t", "default")->r.id;
    for (uint64_t i = 0; i < 4; i++) {
        const struct corrupt_command other = {group + (i == 0), 1 + (i == 1), 1 + (i == 2), 0, false};
        const struct corrupt_command right = {group, 1, 1, 0, false};
        fixture_run(&f, (struct command){.kind = COMMAND_CORRUPT, .corrupt = i < 3 ? other : right});
        expect_state(&f, "t", "default", 1, i < 3 ? "in_flight" : "dead");
        expect_state(&f, "t", "default", 2, "ready");
    }
    fixture_run(&f, (struct command){.kind = COMMAND_CORRUPT, .corrupt = {group, 1, 1, 0, false}});
    cr_assert(!f.changed);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.deliveries, 0, "nobody was sent it");
    fixture_done(&f);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    return remove(path);
}

Test(ledger_replay, the_store_on_disk_comes_out_the_same)
{
    struct log *log = calloc(1, sizeof *log);
    uint64_t hash = run(log, 77, 3000);
    for (size_t reload = 0; reload < 600; reload += 599) {
        struct store *s;
        char dir[256], why[512];
        const char *base = getenv("TMPDIR");
        snprintf(dir, sizeof dir, "%s/shunt-ledger-XXXXXX", base ? base : "/tmp");
        cr_assert_not_null(mkdtemp(dir));
        struct store_lmdb_options o = {
            .dir = dir, .map_bytes = 1 << 20, .map_bytes_max = 1 << 30, .create = true};
        cr_assert_eq(store_lmdb_open(&o, &s, why, sizeof why), 0, "%s", why);
        cr_assert_eq(replay(log, s, reload), hash);
        cr_assert_eq(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    }
    mpack_buffer_done(&log->bytes);
    free(log);
}

/* `changed` is the log, but the n-th publish of two messages after `begin` has one. False: there are not so
 * many. */
static bool change_one(const struct log *log, size_t begin, unsigned n, struct log *changed)
{
    bool done = false;
    for (size_t i = 0; i < log->count; i++) {
        struct batch b;
        struct batch_memory *memory;
        cr_assert_eq(batch_decode(entry(log, i), &b, &memory), 0);
        struct command *commands = malloc((b.count + 1) * sizeof *commands);
        memcpy(commands, b.commands, b.count * sizeof *commands);
        for (size_t k = 0; !done && i >= begin && k < b.count; k++) {
            if (commands[k].kind == COMMAND_PUBLISH && commands[k].publish.count == 2 && n-- == 0) {
                commands[k].publish.count = 1;
                done = true;
            }
        }
        b.commands = commands;
        record(changed, &b);
        free(commands);
        batch_memory_free(memory);
    }
    return done;
}

/* What the comparison is worth: one command that differs must be seen. It may be one that was refused or
 * whose topic was deleted afterwards, so not each, but most. */
Test(ledger_replay, one_changed_command_shows)
{
    struct log *log = calloc(1, sizeof *log);
    uint64_t hash = run(log, 5, 500);
    unsigned tried = 0, seen = 0;
    for (bool changed = true; changed;) {
        struct log *other = calloc(1, sizeof *other);
        changed = change_one(log, log->count * 9 / 10, tried, other);
        tried += changed;
        seen += changed && replay_in_memory(other, 0) != hash;
        mpack_buffer_done(&other->bytes);
        free(other);
    }
    cr_assert_gt(seen, 0, "none of %u", tried);
    mpack_buffer_done(&log->bytes);
    free(log);
}

Test(ledger_replay, bytes_that_are_no_batch_are_refused)
{
    struct log *log = calloc(1, sizeof *log);
    struct batch b;
    struct batch_memory *memory;
    run(log, 9, 100);
    for (size_t i = 0; i < log->count; i++) {
        struct slice whole = entry(log, i);
        for (size_t size = 0; size < whole.size; size++) {
            void *part = malloc(size ? size : 1); /* of its own, for the sanitizer */
            memcpy(part, whole.data, size);
            cr_assert_eq(batch_decode((struct slice){part, size}, &b, &memory), SHUNT_CORRUPT);
            free(part);
        }
    }
    mpack_buffer_done(&log->bytes);
    free(log);
}
