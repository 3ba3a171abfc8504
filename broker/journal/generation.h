/* generation: what changed since a point in time, in memory: rows, as the journal's records hold them, and an index over them. Two of
 * them lie over the store behind the journal: one is being filled, the other, if there is one, is put into that store. */
#ifndef SHUNT_JOURNAL_GENERATION_H
#define SHUNT_JOURNAL_GENERATION_H

#include "broker/journal/index.h"
#include "broker/journal/journal.h"
#include "broker/store/store_version.h"

struct generation {
    struct index tables[TABLE_COUNT];
    int64_t more[TABLE_COUNT]; /* rows that there are because of it; negative: fewer */
    struct arena nodes;
    char *bytes; /* the records; reserved address space, whose pages come as they are written */
    size_t used, room;
    uint64_t
        charged_bytes; /* of pages: what putting it into the store behind may write, at most (broker/store/page.h) */
    struct journal_place next; /* of the journal, behind its last record; number 0: it has none */
};

/* An empty one, with room for so many bytes of records. NULL without memory. */
struct generation *generation_new(size_t room);
void generation_free(struct generation *g); /* takes NULL */
/* Empty again. */
void generation_reset(struct generation *g);

static inline struct row *generation_find(struct generation *g, enum store_table table, struct slice key)
{
    return index_find(&g->tables[table], key);
}

/* A row that lies in `bytes` becomes part of it, or, if it deletes and nothing is below, none. *ret_old: what it took the place of,
 * NULL for nothing. fails: NO_MEMORY, and nothing has changed */
int generation_set(struct generation *g, struct row *row, struct row **ret_old);
/* The other way round: `old` (NULL: nothing) takes the place of `row` again. fails: NO_MEMORY */
int generation_unset(struct generation *g, const struct row *row, struct row *old);

/* Put it into the store, and `place` and the journal's id as the row `journal` of META, in one transaction. fails: as store_commit() */
int generation_merge(const struct generation *g, struct store *store, const uint8_t id[JOURNAL_ID_BYTES]);

/* That row. fails: NOT_FOUND (there is no journal), CORRUPT, as store_get() */
int journal_meta_read(struct store_txn *txn, uint8_t ret_id[JOURNAL_ID_BYTES], struct journal_place *ret);
int journal_meta_write(struct store_txn *txn, const uint8_t id[JOURNAL_ID_BYTES], struct journal_place place);
int journal_meta_delete(struct store_txn *txn);

#endif
