/* ledger_log: the batches of a run as bytes, and their application to another store. */
#ifndef SHUNT_TESTS_LEDGER_LOG_H
#define SHUNT_TESTS_LEDGER_LOG_H

#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define BATCHES_MAX 8000

struct log {
    struct mpack_buffer bytes;
    size_t ends[BATCHES_MAX]; /* where each batch ends */
    size_t count;
};

static inline void record(void *context, const struct batch *b)
{
    struct log *log = context;
    cr_assert_lt(log->count, BATCHES_MAX);
    cr_assert_eq(batch_encode(&log->bytes, b), 0);
    log->ends[log->count++] = log->bytes.size;
}

static inline struct slice entry(const struct log *log, size_t i)
{
    size_t begin = i ? log->ends[i - 1] : 0;
    return (struct slice){log->bytes.data + begin, log->ends[i] - begin};
}

/* The batch that was recorded last begins with what it found damaged. */
static inline void record_found(void *context, const struct damaged_command *found, size_t count)
{
    struct log *log = context;
    struct batch b;
    struct batch_memory *memory;
    struct mpack_buffer bytes = {0};
    cr_assert_eq(batch_decode(entry(log, log->count - 1), &b, &memory), 0);
    struct command *commands = calloc(count + b.count, sizeof *commands);
    cr_assert(commands);
    for (size_t i = 0; i < count; i++)
        commands[i] = (struct command){.kind = COMMAND_DAMAGED, .damaged = found[i]};
    memcpy(commands + count, b.commands, b.count * sizeof *commands);
    b.commands = commands;
    b.count += count;
    cr_assert_eq(batch_encode(&bytes, &b), 0);
    log->count--;
    log->bytes.size = log->count ? log->ends[log->count - 1] : 0;
    mpack_write_raw(&log->bytes, bytes.data, bytes.size);
    log->ends[log->count++] = log->bytes.size;
    mpack_buffer_done(&bytes);
    batch_memory_free(memory);
    free(commands);
}

static inline struct ledger *open_ledger(struct store *s)
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
static inline uint64_t replay(const struct log *log, struct store *s, size_t reload)
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

static inline uint64_t replay_in_memory(const struct log *log, size_t reload)
{
    return replay(log, store_memory_open(1ull << 32), reload);
}

#endif
