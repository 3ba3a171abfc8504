/* plant: see plant.h. */
#include "tests/sim/plant.h"
#include "broker/core/command.h"
#include "broker/core/schema.h"
#include "tests/sim/sim.h"

#include <string.h>

static const char *const names[PLANTS] = {"none",
                                          "confirm-early",
                                          "split-divert",
                                          "volatile-count",
                                          "lost-ack",
                                          "no-checksum",
                                          "over-credit",
                                          "early-retry",
                                          "late-answer",
                                          "short-extension",
                                          "charge-bystanders",
                                          "no-suspects",
                                          "no-pause",
                                          "unheeded-end",
                                          "forgiven-end",
                                          "untold-room",
                                          "fed-silent",
                                          "old-token",
                                          "charge-prefetch",
                                          "lost-outcome",
                                          "volatile-rule",
                                          "forgotten-ruling",
                                          "early-rule",
                                          "moved-twice",
                                          "order-two",
                                          "order-restart",
                                          "order-redrive",
                                          "order-lease",
                                          "order-stuck",
                                          "dead-forgotten",
                                          "dead-stuck",
                                          "run-kept",
                                          "fair-starve",
                                          "fair-forget",
                                          "breaker-charges",
                                          "breaker-pardons",
                                          "breaker-floods",
                                          "breaker-stuck",
                                          "breaker-forgotten",
                                          "breaker-poison",
                                          "late-deadline",
                                          "charged-late",
                                          "kept-deadline",
                                          "untold-damage",
                                          "late-begin",
                                          "journal-early-reply",
                                          "journal-round-early",
                                          "journal-away-early",
                                          "journal-skip-last",
                                          "journal-drop-frozen",
                                          "journal-old-round",
                                          "journal-bad-middle"};

enum plant plant_find(const char *name)
{
    int i = 0;
    while (i < PLANTS && strcmp(names[i], name) != 0)
        i++;
    return (enum plant)i;
}

const char *plant_name(enum plant plant)
{
    return names[plant];
}

/* The index up to which the commit before the last one went; `*ret_last` that of the last. */
static uint64_t before_last_commit(const struct disk *d, uint64_t *ret_last)
{
    uint64_t before = 0;
    *ret_last = 0;
    for (size_t i = 0; i < d->records_count; i++) {
        if (d->records[i].kind != RECORD_COMMIT || d->records[i].index == *ret_last)
            continue;
        before = *ret_last;
        *ret_last = d->records[i].index;
    }
    return before;
}

static struct resolution *entries(struct command *c)
{
    return (struct resolution *)(uintptr_t)c->resolve.entries; /* made by batch_decode(), nobody else's */
}

static void for_each_resolution(struct batch *b, void (*change)(struct resolution *))
{
    struct command *commands = (struct command *)(uintptr_t)b->commands; /* likewise */
    for (size_t i = 0; i < b->count; i++) {
        for (uint32_t k = 0; commands[i].kind == COMMAND_RESOLVE && k < commands[i].resolve.count; k++)
            change(&entries(&commands[i])[k]);
    }
}

static void forget_ack(struct resolution *r)
{
    if (r->acked)
        r->token = 0; /* which no delivery has */
}

static void lose_reject(struct resolution *r)
{
    if (!r->acked && r->outcome == ATTEMPT_REJECTED)
        r->acked = true; /* it has left the group, and is nowhere else */
}

struct since {
    uint64_t index;
    void (*change)(struct resolution *);
};

static void filter(void *context, struct batch *b)
{
    const struct since *since = context;
    if (b->index > since->index)
        for_each_resolution(b, since->change);
}

static bool forget_attempts(struct attempt_record *row)
{
    bool forgets = row->state != ATTEMPT_DEAD;
    if (forgets)
        row->attempts = 0;
    return forgets;
}

static bool forget_ruled(struct attempt_record *row)
{
    row->ruled = 0;
    return true;
}

static void forget_counts(struct disk *d, bool (*forget)(struct attempt_record *))
{
    uint8_t bytes[512];
    struct store_txn *txn;
    struct store_cursor *c;
    struct slice key, value;
    if (store_begin(d->store, true, &txn) || store_cursor_open(txn, TABLE_ATTEMPT, &c))
        return;
    for (int err = store_cursor_seek(c, (struct slice){"", 1}, &key, &value); !err;
         err = store_cursor_next(c, &key, &value)) {
        struct attempt_record row;
        if (attempt_decode(key, value, &row) || !forget(&row))
            continue;
        size_t size = attempt_encode(bytes, key, &row);
        struct key copy = {.size = key.size};
        memcpy(copy.bytes, key.data, key.size);
        (void)store_put(txn, TABLE_ATTEMPT, key_slice(&copy), (struct slice){bytes, size});
    }
    store_cursor_close(c);
    (void)disk_true_ops()->commit(txn);
}

void plant_crash(struct sim *s)
{
    uint64_t last, before = before_last_commit(&s->disk, &last);
    struct since since = {.index = before};
    bool good = true;
    switch (s->plant) {
    case PLANT_CONFIRM_EARLY:
        good = disk_rebuild(&s->disk, before, NULL, NULL);
        break;
    case PLANT_SPLIT_DIVERT:
    case PLANT_LOST_ACK:
        since.change = s->plant == PLANT_LOST_ACK ? forget_ack : lose_reject;
        good = disk_rebuild(&s->disk, last, filter, &since);
        break;
    case PLANT_VOLATILE_COUNT:
        forget_counts(&s->disk, forget_attempts);
        break;
    case PLANT_FORGOTTEN_RULING:
        forget_counts(&s->disk, forget_ruled);
        break;
    case PLANT_NO_CHECKSUM:
    case PLANT_OVER_CREDIT:
    case PLANT_EARLY_RETRY:
    case PLANT_LATE_ANSWER:
    case PLANT_SHORT_EXTENSION:
    case PLANT_CHARGE_BYSTANDERS:
    case PLANT_NO_SUSPECTS:
    case PLANT_NO_PAUSE:
    case PLANT_UNHEEDED_END:
    case PLANT_FORGIVEN_END:
    case PLANT_UNTOLD_ROOM:
    case PLANT_FED_SILENT:
    case PLANT_OLD_TOKEN:
    case PLANT_CHARGE_PREFETCH:
    case PLANT_LOST_OUTCOME:
    case PLANT_VOLATILE_RULE:
    case PLANT_EARLY_RULE:
    case PLANT_MOVED_TWICE:
    case PLANT_ORDER_TWO:
    case PLANT_ORDER_RESTART:
    case PLANT_ORDER_REDRIVE:
    case PLANT_ORDER_LEASE:
    case PLANT_ORDER_STUCK:
    case PLANT_FAIR_STARVE:
    case PLANT_FAIR_FORGET:
    case PLANT_BREAKER_CHARGES:
    case PLANT_BREAKER_PARDONS:
    case PLANT_BREAKER_FLOODS:
    case PLANT_BREAKER_STUCK:
    case PLANT_BREAKER_FORGOTTEN:
    case PLANT_BREAKER_POISON:
    case PLANT_DEAD_FORGOTTEN:
    case PLANT_DEAD_STUCK:
    case PLANT_RUN_KEPT:
    case PLANT_LATE_DEADLINE:
    case PLANT_CHARGED_LATE:
    case PLANT_KEPT_DEADLINE:
    case PLANT_UNTOLD_DAMAGE:
    case PLANT_LATE_BEGIN:
    case PLANT_JOURNAL_EARLY_REPLY:
    case PLANT_JOURNAL_ROUND_EARLY:
    case PLANT_JOURNAL_AWAY_EARLY:
    case PLANT_JOURNAL_SKIP_LAST:
    case PLANT_JOURNAL_DROP_FROZEN:
    case PLANT_JOURNAL_OLD_ROUND:
    case PLANT_JOURNAL_BAD_MIDDLE:
    case PLANT_NONE:
    case PLANTS:
        break;
    }
    if (!good)
        sim_fail(s, "plant: the record cannot be applied");
}
