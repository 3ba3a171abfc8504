/* damage: what is known of messages whose rows do not match their checksums.
 *
 * What a batch does must follow from the batches before it, wherever it is applied; but that bytes are damaged is so on one disk
 * alone. So the engine, which orders the batches, asks what was found while one was applied (ledger_settle_damage()): each such
 * message gets a row of its own, TABLE_DAMAGED, and the batch as it is told to others begins with a command that says so, DAMAGED. A
 * ledger that applies that takes the message for damaged whenever it is verified, whatever the bytes there are: as here, where it was
 * found so when it was verified for the first time in that batch. What is read of a message without being verified is the same on both
 * sides unless the damage is there. Where nobody asks, batches are only applied, and what is found there changes no row.
 *
 * The rows go with their messages. They do not count in what a batch may write: there they are written at another time than here.
 */
#ifndef SHUNT_CORE_DAMAGE_H
#define SHUNT_CORE_DAMAGE_H

#include "base/slice.h"
#include "broker/core/command.h"

struct ledger;
struct loaded_message;

struct damages {
    bool any;       /* there may be rows */
    bool verifying; /* what is found is noted: a batch is being applied, or the ledger is loaded */
    bool over;      /* the last batch was applied: the next one begins with none */
    /* By the batch that is being applied, or was the last one, or by loading before the first. */
    struct damaged_command *found;
    size_t count, capacity;
};

/* After loading what else there is. fails: IO, CORRUPT */
int damage_load(struct ledger *l);
void damage_free(struct ledger *l);
/* `ret` was parsed from the row of that key, and verified: is it damaged after all? fails: IO, NO_MEMORY */
int damage_look(struct ledger *l, struct slice key, struct loaded_message *ret);
/* The message has gone; to be called where there may be rows (`any`). */
int damage_forget(struct ledger *l, struct slice key);
/* Before a batch. */
static inline void damage_begin(struct damages *d)
{
    if (d->over)
        d->count = 0;
    d->over = false;
    d->verifying = true;
}
/* Behind it. */
static inline void damage_end(struct damages *d, bool applied)
{
    d->over = applied;
    d->verifying = false;
}
int damage_apply(struct ledger *l, const struct damaged_command *c);

#endif
