/* damage_journal: the records of a journal as they were before it was damaged, and what the damage may do.
 *
 * What counts is the first 64 bytes of the head block, and of each record that the store does not have its head and body; of those that it has, messages
 * may lie there still. The last record
 * cannot be told from one that was torn when the power was cut: without it the store is as it was one commit ago.
 */
#ifndef SHUNT_TESTS_CRASH_DAMAGE_JOURNAL_H
#define SHUNT_TESTS_CRASH_DAMAGE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DAMAGE_RECORDS_MAX 4096

struct damage_range {
    uint64_t at, size;
};

struct damage_journal {
    const uint8_t *bytes; /* as they were; somebody else's */
    uint64_t size;
    struct damage_range records[DAMAGE_RECORDS_MAX]; /* that are needed, in order */
    size_t count;
    struct damage_range kept[DAMAGE_RECORDS_MAX]; /* of which only messages are needed */
    size_t kept_count;
    uint64_t next_at, next_number; /* of the record that would come next */
    uint64_t old_at;               /* of a record of one block that the store has; 0: there is none */
};

/* `dir` is the store's, `bytes` its journal. False: it cannot be read, or no record is needed. */
bool damage_journal_read(struct damage_journal *j, const char *dir, const uint8_t *bytes, uint64_t size);

/* A byte that counts, chosen by `r`. */
uint64_t damage_journal_place(const struct damage_journal *j, uint64_t r);

/* What an earlier round left comes to lie where the next record would, and says that it is that one; returns how many bytes it has, 0 if
 * there is none. */
uint64_t damage_journal_put_old(const struct damage_journal *j, uint8_t *now);

/* Whether a record that is only kept for its messages differs now: what is wrong with one of those shows where it is looked at, as in the store. */
bool damage_journal_keeps(const struct damage_journal *j, const uint8_t *now);

/* Which needed records differ now. `ret_last`: of those at the end without one in between that does not. False: the head block does. */
bool damage_journal_differs(const struct damage_journal *j, const uint8_t *now, size_t *ret_records,
                            size_t *ret_last);

#endif
