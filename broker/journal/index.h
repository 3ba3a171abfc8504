/* index: rows of one table in the order of their keys: a B+ tree that points at rows which somebody else keeps.
 *
 * Made for what a broker does: keys that come in order are appended without a search, the leaf that was used last is tried
 * first, and a leaf from which the last row goes leaves the tree at once, so that a queue's worked-off front costs nothing. Leaves are not
 * merged otherwise: an index lives for one generation of the journal.
 *
 * Bytes of a row whose key is the bound of a node are needed as long as the index, whether or not the row is still in it.
 */
#ifndef SHUNT_JOURNAL_INDEX_H
#define SHUNT_JOURNAL_INDEX_H

#include "base/arena.h"
#include "broker/journal/row.h"

#define INDEX_FAN 64

struct index_leaf;
struct index_inner;

struct index {
    struct arena *arena; /* of the nodes; its owner's, who resets it together with index_init() */
    void *root;          /* a leaf if depth is 0 */
    unsigned depth;
    struct index_leaf *last; /* with the greatest keys */
    struct index_leaf *used; /* where the last search ended */
    struct index_leaf *spare_leaf;
    struct index_inner *spare_inner;
    uint64_t stamp; /* grows when a row comes or goes: an unchanged stamp means unchanged neighbours */
    uint64_t count;
};

/* A place in an index: good while its stamp is the index's. */
struct index_at {
    struct index_leaf *leaf;
    unsigned i;
};

/* An empty one. */
void index_init(struct index *x, struct arena *arena);
/* The row with this very key; NULL: none. */
struct row *index_find(struct index *x, struct slice key);
/* Put a row in; *ret_old is the one with the same key whose place it took, or NULL. fails: NO_MEMORY, and nothing has changed */
int index_set(struct index *x, struct row *row, struct row **ret_old);
/* Take the row with this key out and return it; NULL: there is none. */
struct row *index_remove(struct index *x, struct slice key);

/* The first row whose key is >= `key`, or > if `after`; the last whose key is < `key` (no bytes: of all). NULL: none. */
struct row *index_seek(struct index *x, struct slice key, bool after, struct index_at *ret);
struct row *index_seek_before(struct index *x, struct slice key, struct index_at *ret);
/* The first row of all. Nothing in the index changes by it, not even what a search remembers: a thread of its own may walk from there
 * while another one searches. */
struct row *index_first(const struct index *x, struct index_at *ret);
/* The row behind that of a place, which moves there. NULL: none, and it stays. */
struct row *index_next(struct index_at *at);
/* The row at a place that is still good: it may be another one with the same key by now. */
struct row *index_at_row(const struct index_at *at);

#endif
