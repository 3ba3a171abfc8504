/* Determinism where messages are damaged on one disk: what follows from that is in the batches. */
#include "tests/unit/core/ledger_log.h"
#include "tests/unit/core/ledger_order.h"
#include "tests/unit/core/ledger_traffic.h"

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
    d->f.told = record_found;
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

/* Messages of the group, in their order, have these keys; `out` of them are given, then one is damaged, and then, after a restart or
 * not, they are worked off with credit for ten. The state must be that of a store whose bytes are all whole. */
static void damage_keyed(int64_t run, int64_t fair, const char *keys, uint32_t out, uint64_t seq,
                         bool restart)
{
    struct fixture f;
    struct log *log = calloc(1, sizeof *log);
    size_t at = 0;
    fixture_init(&f);
    f.careless = true; /* between the restart and RECOVER nothing lets go of what waits for the damaged one */
    f.tap = record;
    f.told = record_found;
    f.tap_context = log;
    topic_create(&f, "t",
                 settings(POLICY_order, ORDER_KEY, POLICY_key_run, run, POLICY_fair, fair, POLICY_on_dead,
                          ON_DEAD_BLOCK, -1));
    publish_keys(&f, keys, 0, 0);
    if (out)
        assign(&f, "t", "default", out);
    uint64_t numbers[64];
    uint32_t held = out && !restart ? f.handed : 0;
    memcpy(numbers, f.handed_seqs, sizeof numbers);
    struct key key = key_id_seq(ledger_topic(f.l, text("t"))->r.id, seq);
    cr_assert(flip_bit(f.store, &key, &at));
    if (restart) {
        fixture_crash(&f);
        fixture_run(&f, (struct command){.kind = COMMAND_RECOVER});
    }
    for (unsigned round = 0; round < 6 && !died_corrupt(&f); round++) {
        for (uint32_t i = 0; round && i < held; i++)
            ack(&f, "t", "default", numbers[i]);
        assign(&f, "t", "default", 10);
        held = round ? 0 : held;
        for (uint32_t i = 0; i < f.handed; i++)
            numbers[held++] = f.handed_seqs[i];
    }
    cr_assert_eq(died_corrupt(&f), 1, "run %d, fair %d, %s\n%s", (int)run, (int)fair, keys, f.trace);
    cr_assert(flip_bit(f.store, &key, &at));
    f.tap = NULL;
    cr_assert_eq(replay_in_memory(log, 0), state_hash(f.store), "run %d, fair %d, %s, restart %d", (int)run,
                 (int)fair, keys, restart);
    f.careless = false;
    fixture_done(&f);
    mpack_buffer_done(&log->bytes);
    free(log);
}

/* What memory knew of a key is gone with a restart, and the bytes say nothing of it any more: elsewhere, where they do, it must have
 * none either. */
Test(ledger_replay, what_was_damaged_while_it_was_out_has_no_key_elsewhere_either)
{
    for (int64_t fair = FAIR_NONE; fair <= FAIR_KEY; fair++) {
        damage_keyed(1, fair, "AABAB", 2, 1, true);
        damage_keyed(3, fair, "AABAB", 4, 2, true);
        damage_keyed(1, fair, "-A-BA", 2, 2, true);
    }
}

/* How much a hand-out gives of a run does not depend on the bytes alone. */
Test(ledger_replay, a_run_ends_at_a_damaged_message_elsewhere_too)
{
    for (int64_t fair = FAIR_NONE; fair <= FAIR_KEY; fair++) {
        damage_keyed(3, fair, "AAABAA", 0, 2, false);
        damage_keyed(2, fair, "AAAABB", 2, 3, false);
        damage_keyed(1, fair, "ABABAB", 0, 1, false);
    }
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
