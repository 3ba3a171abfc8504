/* key_gaps: ranges of hashes of which no row is in an index, so that it need not be searched for them.
 *
 * A key with a million rows makes the index large for all others, which are not in it: what one search has found to be empty up to the
 * next row holds for each key between. Some ranges are remembered; they are told of each row that is put. It is only
 * memory of what a search would find, so nothing depends on what it holds.
 */
#ifndef SHUNT_CORE_KEY_GAPS_H
#define SHUNT_CORE_KEY_GAPS_H

#include <stdbool.h>
#include <stdint.h>

/* A key with very many rows leaves two; beside a few such keys there are a few more. */
#define KEY_GAPS_MAX 8u

struct key_gaps {
    struct key_gap {
        uint64_t from, last;
    } items[KEY_GAPS_MAX]; /* none touches another one */
    unsigned count;
    unsigned next; /* gives way if all are in use */
};

/* Whether it is known that the key has no row. cost: by KEY_GAPS_MAX, as that of the others */
bool key_gaps_has(const struct key_gaps *g, uint64_t key);
/* No key from the one to the other has a row. */
void key_gaps_learn(struct key_gaps *g, uint64_t from, uint64_t last);
/* A row of the key is put. */
void key_gaps_forget(struct key_gaps *g, uint64_t key);

#endif
