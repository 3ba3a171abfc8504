/* ledger_fair: a group whose keys take turns. */
#ifndef SHUNT_TESTS_LEDGER_FAIR_H
#define SHUNT_TESTS_LEDGER_FAIR_H

#include "tests/unit/core/ledger_order.h"

/* A topic `t` whose group is fair, and these messages. Waits after failures are 100 ms. */
static inline void begin_fair(struct fixture *f, const char *keys)
{
    fixture_init(f);
    topic_create(f, "t",
                 settings(POLICY_fair, FAIR_KEY, POLICY_backoff_min_ms, 100, POLICY_backoff_max_ms, 100,
                          POLICY_backoff_floor_ms, 100, POLICY_max_attempts, 3, -1));
    publish_keys(f, keys, 0, 0);
}

/* As one consumer with credit for one after the other: these numbers, one by one. */
static inline void gets_singly(struct fixture *f, const char *numbers)
{
    char got[400] = "";
    size_t size = 0;
    for (unsigned i = 0; i < 60; i++) {
        assign(f, "t", "default", 1);
        if (!f->handed)
            break;
        size += (size_t)snprintf(got + size, sizeof got - size, "%s%llu", size ? " " : "",
                                 (unsigned long long)f->handed_seqs[0]);
    }
    cr_assert_str_eq(got, numbers);
}

/* The next one is this. */
static inline void gets_one(struct fixture *f, uint64_t seq)
{
    assign(f, "t", "default", 1);
    uint64_t got = f->handed ? f->handed_seqs[0] : 0;
    cr_assert_eq(got, seq, "got %llu, not %llu", (unsigned long long)got, (unsigned long long)seq);
}

static inline const struct fair_record *turns_of(struct fixture *f)
{
    return &g_of(f)->r.fair;
}

#endif
