/* check_bench: a store with a message in every state, and the means to damage it behind the ledger's back.
 *
 * Topic `orders` has groups `default` and `audit`. For audit all 11 messages are ready and were never handed
 * out; for default
 *
 *     1 done   2 delayed   3 held again   4 dead   5 suspect   6 in flight for the first time   7 delayed
 *     8..11 ready
 *
 * and 11 has a time to live, which ends at EXPIRES. The ids are given in order: topics orders, its DLQs;
 * groups default, the DLQ's, audit, the DLQ's.
 */
#ifndef SHUNT_TESTS_CHECK_BENCH_H
#define SHUNT_TESTS_CHECK_BENCH_H

#include "tests/unit/core/ledger_fixture.h"

enum { ORDERS = 1, DLQ_DEFAULT = 2, DLQ_AUDIT = 3 };                   /* topics */
enum { DEFAULT = 1, DEFAULT_READER = 2, AUDIT = 3, AUDIT_READER = 4 }; /* groups */
#define EXPIRES (T0 + 10 + 60000)

void bench_init(struct fixture *f);
/* As fixture_done(), but without a look at the damage. */
void bench_done(struct fixture *f);

/* Check it; the report (free it) and the number of problems. */
char *bench_check(struct fixture *f, uint64_t *ret_problems);

/* What is done, and the report but for its last line. */
struct damage {
    const char *name;
    void (*plant)(void);
    const char *report;
};
#define DAMAGE(what) static void what(void)
#define CASE(what, report)                                                                                   \
    {                                                                                                        \
#what, what, report                                                                                  \
    }
/* In a store as made by bench_init(). */
void bench_expect_damage(struct fixture *f, const struct damage *d);

/* Behind the ledger's back. */
void plant(struct fixture *f, enum store_table table, struct key key, const void *value, size_t size);
void plant_empty(struct fixture *f, enum store_table table, struct key key);
void uproot(struct fixture *f, enum store_table table, struct key key);
void flip(struct fixture *f, enum store_table table, struct key key); /* a bit of the value's last byte */

/* Read a record, to change and plant it again with a right checksum. */
struct topic_record topic_at(struct fixture *f, uint32_t id);
struct group_record group_at(struct fixture *f, uint32_t id);
struct attempt_record attempt_at(struct fixture *f, uint32_t group, uint64_t seq);
void plant_topic(struct fixture *f, uint32_t id, const struct topic_record *r);
void plant_group(struct fixture *f, uint32_t id, const struct group_record *r);
void plant_attempt(struct fixture *f, uint32_t group, uint64_t seq, const struct attempt_record *r);
void plant_dead(struct fixture *f, uint32_t dlq, uint64_t seq, struct dead_record r);
void plant_history(struct fixture *f, uint32_t group, uint64_t seq, uint32_t row);
void plant_bit(struct fixture *f, uint32_t group, uint64_t seq, bool set);
void plant_message(struct fixture *f, uint32_t topic, uint64_t seq);

#endif
