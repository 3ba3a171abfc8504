/* away: what is still needed of the oldest records goes into the store behind: the values of messages of which only stubs stand there. */
#ifndef SHUNT_JOURNAL_AWAY_H
#define SHUNT_JOURNAL_AWAY_H

#include "broker/journal/meta.h"

#define AWAY_BYTES                                                                                           \
    (8u << 20) /* of records that one step looks at, about: its flush stands before those of the journal */

struct away {
    const uint8_t *map;       /* of the journal's file … */
    uint64_t bytes;           /* … which is so long */
    struct journal_place end; /* not beyond this */
    uint64_t kept_at_end;     /* meta.kept_bytes when it comes there */
    bool dead;                /* nothing before that is needed */
    /* of the store behind; and then what it says now: from its oldest record on all is as it was */
    struct journal_meta meta;
};

/* One step, in one transaction. The journal's file is only read, and other threads may append to it. A record that is not whole is made good for by
 * a walk over all stubs. fails: as store_commit(), and then nothing has changed; CORRUPT: a stub that cannot be */
int away_put(struct store *store, struct away *a);

#endif
