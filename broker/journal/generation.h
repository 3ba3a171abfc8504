/* generation: what changed since a point in time, in memory: rows, as the journal's records hold them, and an index over them. Two of
 * them lie over the store behind the journal: one is being filled, the other, if there is one, is put into that store. */
#ifndef SHUNT_JOURNAL_GENERATION_H
#define SHUNT_JOURNAL_GENERATION_H

#include "broker/journal/index.h"
#include "broker/journal/meta.h"
#include "broker/journal/row_run.h"
#include "broker/store/store_version.h"

/* Where one of its records stands. */
struct generation_record {
    size_t begin;               /* of its body, in `bytes` */
    struct journal_place place; /* number 0: nowhere, its transaction went into the store behind */
};

struct generation {
    struct index tables[TABLE_COUNT];
    int64_t more[TABLE_COUNT]; /* rows that there are because of it; negative: fewer */
    struct arena nodes;
    char *bytes; /* the records; reserved address space, whose pages come as they are written */
    size_t used, room;
    size_t keep; /* whole pages: of them so much stays in memory when it is empty */
    /* of pages: what putting it into the store behind may write, at most (broker/store/page.h) */
    uint64_t charged_bytes;
    struct journal_place next; /* of the journal, behind its last record; number 0: it has none */
    struct generation_record *records;
    size_t records_count, records_capacity;
    uint64_t file_bytes; /* of its records in the journal */
    uint64_t kept_bytes; /* of its messages there: what they would take in the store behind, at most */
    bool whole;          /* none of them stays there: all go into the store behind */
    struct row_run *run; /* of rows on their way there */
};

/* An empty one, with room for so many bytes of records, of which about `keep` (less than `room`) stay in memory between two uses. NULL without memory. */
struct generation *generation_new(size_t room, size_t keep);
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

/* Whether most of what its records take in the file is what fills their last blocks: a message that stays there takes a block for itself. */
bool generation_is_padded(const struct generation *g);
/* Nothing is in it that shall stay in the file. */
void generation_take_whole(struct generation *g);

/* Another record will be in it. fails: NO_MEMORY */
int generation_record_room(struct generation *g);
/* It is: its body begins at `begin` of `bytes` and is the last that was written there, and the record stands at `place`. There is room. */
void generation_recorded(struct generation *g, size_t begin, struct journal_place place);

/* Put it into the store, with `meta`, in one transaction. Of messages that lie in the journal there are stubs then, *ret_stubs of
 * them; without any, and if none is older, `meta` no longer needs its records. fails: as store_commit() */
int generation_merge(const struct generation *g, struct store *store, struct journal_meta *meta,
                     uint64_t *ret_stubs);
/* Whether a row of it becomes a stub. */
bool generation_leaves(const struct generation *g, const struct row *r);

#endif
