/* history: the rows of one message's attempt ledger, one after the other, without the loop that each reader of
 * them would need. Row 0 says how the message ended (past.c); the attempts are numbered from 1.
 *
 *     struct history_rows h;
 *     int err = history_rows_open(txn, group, seq, HISTORY_ROW_FIRST, &h);
 *     for (; !err; err = history_rows_next(&h))
 *         …h.row, h.key, h.value…
 *     err = history_rows_close(&h, err);
 */
#ifndef SHUNT_CORE_HISTORY_H
#define SHUNT_CORE_HISTORY_H

#include "broker/core/schema.h"

struct history_rows {
    struct store_cursor *cursor; /* NULL: it could not be opened */
    uint32_t group;
    uint64_t seq;
    uint32_t row;            /* the number of the one it is at */
    struct slice key, value; /* live until the next write to TABLE_HISTORY */
};

/* At the first row whose number is `from` or greater. fails: NOT_FOUND (there is none), IO, NO_MEMORY. To be closed
 * in any case. */
int history_rows_open(struct store_txn *txn, uint32_t group, uint64_t seq, uint32_t from,
                      struct history_rows *ret);
/* At the last one. fails: as history_rows_open() */
int history_rows_open_last(struct store_txn *txn, uint32_t group, uint64_t seq, struct history_rows *ret);
/* The next, or the one before. fails: NOT_FOUND after the last, or before the first; IO */
int history_rows_next(struct history_rows *h);
int history_rows_prev(struct history_rows *h);
/* Returns what ended the loop; 0 if that was the end of the rows. */
int history_rows_close(struct history_rows *h, int err);

/* ---- written ---- */

struct ledger;
struct group;

/* Add a row to a message's attempt ledger, making room where needed; counts the outcome. The row's strings
 * are cut and cleaned. */
int history_add(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row,
                const struct history_record *h);
int history_delete(struct ledger *l, const struct group *g, uint64_t seq);
/* The last charged attempt or, without one, what was last; zero, with no end, if there is no history. Slices
 * live until the next write to TABLE_HISTORY. */
int history_last(struct ledger *l, const struct group *g, uint64_t seq, struct history_record *ret);
/* What history keeps of an attempt: its strings cut, and cleaned into `text`. */
#define HISTORY_TEXT_BYTES_MAX                                                                               \
    (3 * CLIENT_NAME_BYTES_MAX + ERROR_TYPE_BYTES_MAX + ERROR_MESSAGE_BYTES_MAX + ERROR_STACK_BYTES_MAX)
struct history_record history_cleaned(const struct ledger *l, const struct history_record *h,
                                      char text[HISTORY_TEXT_BYTES_MAX]);

#endif
