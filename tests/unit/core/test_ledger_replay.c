/* Determinism: the batches of a run, written as bytes and read back, give the same store elsewhere. */
#include "tests/unit/core/ledger_traffic.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCHES_MAX 8000

struct log {
    struct mpack_buffer bytes;
    size_t ends[BATCHES_MAX]; /* where each batch ends */
    size_t count;
};

static void record(void *context, const struct batch *b)
{
    struct log *log = context;
    cr_assert_lt(log->count, BATCHES_MAX);
    cr_assert_eq(batch_encode(&log->bytes, b), 0);
    log->ends[log->count++] = log->bytes.size;
}

static struct slice entry(const struct log *log, size_t i)
{
    size_t begin = i ? log->ends[i - 1] : 0;
    return (struct slice){log->bytes.data + begin, log->ends[i] - begin};
}

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

static struct ledger *open_ledger(struct store *s)
{
    struct store_txn *t;
    struct ledger *l;
    char why[512];
    cr_assert_eq(store_begin(s, false, &t), 0);
    cr_assert_eq(ledger_new(t, &l, why, sizeof why), 0);
    store_abort(t);
    return l;
}

/* Apply a log to an empty store, loading the ledger anew after every `reload` batches (0: never). */
static uint64_t replay(const struct log *log, struct store *s, size_t reload)
{
    struct ledger *l = open_ledger(s);
    struct store_txn *t;
    /* What a fixture does first. */
    struct command limits = {.kind = COMMAND_LIMITS, .limits = {100, 10, 1 << 20, 3600000, 0, 0}};
    struct batch first = {.index = 1, .time_ms = T0, .commands = &limits, .count = 1};
    cr_assert_eq(store_begin(s, true, &t), 0);
    cr_assert_eq(ledger_apply(l, t, &first), 0);
    for (size_t i = 0; i < log->count; i++) {
        struct batch b;
        struct batch_memory *memory;
        cr_assert_eq(batch_decode(entry(log, i), &b, &memory), 0);
        cr_assert_eq(ledger_apply(l, t, &b), 0);
        batch_memory_free(memory);
        if (reload ? i % reload == 0 : i % 7 == 0) {
            cr_assert_eq(ledger_seal(l, t), 0);
            cr_assert_eq(store_commit(t), 0);
            cr_assert_eq(store_maintain(s), 0);
            if (reload) {
                ledger_free(l);
                l = open_ledger(s);
            }
            cr_assert_eq(store_begin(s, true, &t), 0);
        }
    }
    cr_assert_eq(ledger_seal(l, t), 0);
    cr_assert_eq(store_commit(t), 0);
    ledger_audit(l, s);
    ledger_free(l);
    uint64_t hash = state_hash(s);
    store_close(s);
    return hash;
}

static uint64_t replay_in_memory(const struct log *log, size_t reload)
{
    return replay(log, store_memory_open(1ull << 32), reload);
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

/* ---- a store whose messages were damaged ---- */

#define FLIPS_MAX 400

struct flips {
    struct fixture f;
    struct traffic t;
    struct flip {
        struct key key;
        size_t at;
    } made[FLIPS_MAX];
    size_t count;
};

/* A bit of a row of MESSAGE, if it is there still; where no place is given, of its body. */
static bool flip_bit(struct store *s, const struct key *key, size_t *at)
{
    struct store_txn *t;
    struct slice value;
    uint8_t copy[4096];
    cr_assert_eq(store_begin(s, true, &t), 0);
    int err = store_get(t, TABLE_MESSAGE, key_slice(key), &value);
    if (err) {
        store_abort(t);
        return false;
    }
    cr_assert_leq(value.size, sizeof copy);
    memcpy(copy, value.data, value.size);
    *at = *at ? *at : value.size - 1;
    copy[*at] ^= 1;
    cr_assert_eq(store_put(t, TABLE_MESSAGE, key_slice(key), (struct slice){copy, value.size}), 0);
    cr_assert_eq(store_commit(t), 0);
    return true;
}

static bool was_flipped(const struct flips *d, const struct key *key)
{
    for (size_t i = 0; i < d->count; i++) {
        if (memcmp(d->made[i].key.bytes, key->bytes, key->size) == 0)
            return true;
    }
    return false;
}

static void flip_one(struct flips *d)
{
    struct topic *topic = ledger_topic(d->f.l, text(traffic_random(&d->t, 2) ? "a" : "b"));
    if (!topic || d->count == FLIPS_MAX)
        return;
    struct flip *flip = &d->made[d->count];
    flip->key = key_id_seq(topic->r.id, 1 + traffic_random(&d->t, topic->r.head));
    flip->at = 0;
    if (!was_flipped(d, &flip->key))
        d->count += flip_bit(d->f.store, &flip->key, &flip->at);
}

/* Put right what is there still, so that the whole of the store can be compared. */
static void flip_back(struct flips *d)
{
    for (size_t i = 0; i < d->count; i++)
        (void)flip_bit(d->f.store, &d->made[i].key, &d->made[i].at);
}

/* Random traffic on a store whose messages are damaged now and then. What is older than a group has its times
 * in its row alone, so no group is made later. */
static void run_damaged(struct flips *d, struct log *log, uint64_t seed)
{
    fixture_init(&d->f);
    d->f.quiet = d->f.careless = true;
    d->f.tap = record;
    d->f.tap_context = log;
    traffic_init(&d->t, &d->f, seed);
    for (unsigned i = 0; i < 1500; i++) {
        size_t count = traffic_next(&d->t);
        if (i % 5 == 0)
            flip_one(d);
        for (size_t k = 0; k < count; k++) {
            if (d->t.commands[k].kind == COMMAND_GROUP_CREATE)
                d->t.commands[k].kind = COMMAND_GROUP_UPDATE;
        }
        fixture_run(&d->f, (struct command){.kind = COMMAND_TICK});
        fixture_apply(&d->f, d->t.commands, count);
    }
    fixture_at(&d->f, d->f.now_ms + 100000);
    fixture_run(&d->f, (struct command){.kind = COMMAND_LIMITS, .limits = {77, 7, 777, 7777, 0, 0}});
    traffic_done(&d->t);
}

static uint64_t died_corrupt(const struct fixture *f)
{
    uint64_t died = 0;
    for (size_t i = 0; i < f->l->groups_count; i++)
        died += f->l->groups[i]->r.counts.dead_lettered[DEAD_CORRUPT];
    return died;
}

/* The verdict is in the batches, not in the disk: where nothing is damaged the same messages die, too. */
Test(ledger_replay, a_whole_store_comes_out_as_a_damaged_one)
{
    uint64_t died = 0, flips = 0;
    for (uint64_t seed = 1; seed <= 16; seed++) {
        struct log *log = calloc(1, sizeof *log);
        struct flips *d = calloc(1, sizeof *d);
        run_damaged(d, log, seed);
        died += died_corrupt(&d->f);
        flips += d->count;
        flip_back(d);
        cr_assert_eq(replay_in_memory(log, 0), state_hash(d->f.store), "seed %llu", (unsigned long long)seed);
        fixture_done(&d->f);
        mpack_buffer_done(&log->bytes);
        free(log);
        free(d);
    }
    cr_log_info("%llu bits flipped, %llu messages died of it", (unsigned long long)flips,
                (unsigned long long)died);
    cr_assert_geq(died, 50);
}

/* A store that finds what nobody told it of keeps to the batches: what is handed out is in flight. */
Test(ledger_replay, a_damaged_store_comes_out_as_a_whole_one)
{
    struct fixture whole, damaged;
    struct log *log = calloc(1, sizeof *log);
    size_t at = 0;
    fixture_init_held(&whole, settings(-1), 10, 0);
    fixture_init_held(&damaged, settings(-1), 10, 0);
    struct key third = key_id_seq(ledger_topic(damaged.l, text("t"))->r.id, 3);
    cr_assert(flip_bit(damaged.store, &third, &at));
    whole.tap = record;
    whole.tap_context = log;
    assign(&whole, "t", "default", 5);
    nack(&whole, "t", "default", 3, 0);
    assign(&whole, "t", "default", 2);
    ack(&whole, "t", "default", 4);
    for (size_t i = 0; i < log->count; i++) {
        struct batch b;
        struct batch_memory *memory;
        struct store_txn *t;
        cr_assert_eq(batch_decode(entry(log, i), &b, &memory), 0);
        cr_assert_eq(store_begin(damaged.store, true, &t), 0);
        cr_assert_eq(ledger_apply(damaged.l, t, &b), 0);
        cr_assert_eq(ledger_seal(damaged.l, t), 0);
        cr_assert_eq(store_commit(t), 0);
        batch_memory_free(memory);
    }
    expect_state(&damaged, "t", "default", 3, "in_flight");
    cr_assert(flip_bit(damaged.store, &third, &at));
    cr_assert_eq(state_hash(damaged.store), state_hash(whole.store));
    fixture_done(&whole);
    fixture_done(&damaged);
    mpack_buffer_done(&log->bytes);
    free(log);
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
