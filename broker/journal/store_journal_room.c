/* The journal's store: when a generation is frozen, and how full it all is.
 *
 * Three things bound what is in memory only: the memory for it, the journal's file, and what the store behind has free, for all of it must fit
 * there. A generation is frozen when it has its part of one of them. While the one before it is still being put away, the next one grows; if it
 * comes to where a transaction could find no room, the engine waits.
 */
#include "broker/journal/store_journal_private.h"

#include "base/check.h"

/* What one transaction may write to the store behind, and so to the journal, at most: that of the engine's (broker/engine/room.h),
 * and as much of rows that it does not count. */
#define RECORD_BYTES_MAX (80ull << 20)
/* The part of what the store behind has free that one generation may be charged with. */
#define FREE_PART 4

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* ---- the store behind ---- */

int journal_below(struct journal_store *s, struct store_txn **ret)
{
    int err = s->below ? 0 : store_begin(s->behind, false, &s->below);
    *ret = s->below;
    return err;
}

void journal_below_close(struct journal_store *s)
{
    if (s->below)
        store_abort(s->below);
    s->below = NULL;
}

/* ---- the file ---- */

/* Take what was asked for over; with `wait`, when it is there. */
static int take_file(struct journal_store *s, bool wait)
{
    uint64_t to = s->merge.to;
    int err;
    if (!merge_ended(&s->merge, MERGE_FILE, wait, &err))
        return 0;
    if (err == SHUNT_NO_SPACE) {
        s->bytes = journal_bytes(s->journal); /* a full disk: it stays as it is until the next start */
        return 0;
    }
    if (!err)
        journal_extended(s->journal, to);
    return err;
}

static bool may_extend(const struct journal_store *s)
{
    return journal_bytes(s->journal) < s->bytes && !merge_busy(&s->merge, MERGE_FILE);
}

static void extend(struct journal_store *s)
{
    uint64_t bytes = journal_bytes(s->journal);
    merge_ask_file(&s->merge, journal_file_of(s->journal), bytes, least(2 * bytes, s->bytes));
}

int journal_make_room(struct journal_store *s, size_t body_bytes)
{
    int err = 0;
    while (!err && !journal_has_room(s->journal, body_bytes)) {
        s->waits++;
        if (may_extend(s))
            extend(s);
        if (merge_busy(&s->merge, MERGE_FILE))
            err = take_file(s, true);
        else if (s->frozen && !s->readers)
            err = journal_settle(s);
        else
            return SHUNT_NO_SPACE;
    }
    return err;
}

/* ---- generations ---- */

/* Nothing is being put away: what the store behind has free may grow, and is known. */
static int look_behind(struct journal_store *s)
{
    journal_below_close(s);
    int err = store_maintain(s->behind);
    store_usage(s->behind, &s->usage);
    return err == SHUNT_NO_SPACE ? 0 : err; /* shows in the usage */
}

/* The frozen one is in the store behind. */
static int put_away(struct journal_store *s, int err)
{
    if (err) {
        s->broken = true;
        return err;
    }
    journal_release(s->journal, s->frozen->next);
    generation_reset(s->frozen);
    s->spare = s->frozen;
    s->frozen = NULL;
    s->merges++;
    return look_behind(s);
}

int journal_settle(struct journal_store *s)
{
    int err;
    if (!s->frozen || !merge_ended(&s->merge, MERGE_GENERATION, true, &err))
        return 0;
    return put_away(s, err);
}

static bool is_empty(const struct journal_store *s)
{
    return s->filling->next.number == 0;
}

/* Reads go on in the store behind as it was before, until the frozen one is gone: else its rows would count twice. */
static int freeze(struct journal_store *s)
{
    struct store_txn *below;
    int err = journal_below(s, &below);
    if (err)
        return err;
    s->frozen = s->filling;
    s->filling = s->spare;
    s->spare = NULL;
    merge_ask_generation(&s->merge, s->frozen, s->behind, s->id);
    return 0;
}

static bool has_its_part(const struct journal_store *s)
{
    return s->filling->used >= s->memory_bytes / 2 ||
           journal_used_bytes(s->journal) >= journal_bytes(s->journal) / 2 ||
           s->filling->charged_bytes >= s->usage.usable_bytes / FREE_PART;
}

/* A transaction could come that finds no room for its record. */
static bool is_short(const struct journal_store *s)
{
    return s->filling->room - s->filling->used < RECORD_BYTES_MAX ||
           (journal_bytes(s->journal) == s->bytes &&
            !journal_has_room(s->journal, least(RECORD_BYTES_MAX, journal_body_bytes_max(s->journal)))) ||
           (s->frozen ? s->frozen->charged_bytes : 0) + s->filling->charged_bytes >=
               s->usage.usable_bytes / 2;
}

int journal_maintain(struct store *base)
{
    struct journal_store *s = journal_store_of(base);
    int err = 0, merge_err;
    check(!s->writing && !s->readers);
    if (s->broken)
        return SHUNT_IO;
    if (s->read_only)
        return 0;
    if (is_empty(s)) /* but for what was given up */
        generation_reset(s->filling);
    err = take_file(s, false);
    if (!err && may_extend(s) && journal_used_bytes(s->journal) >= journal_bytes(s->journal) / 4)
        extend(s);
    if (!err && s->frozen && merge_ended(&s->merge, MERGE_GENERATION, false, &merge_err))
        err = put_away(s, merge_err);
    while (!err && !is_empty(s) && (is_short(s) || (!s->frozen && has_its_part(s)))) {
        if (s->frozen) {
            s->waits++;
            err = journal_settle(s);
        } else {
            err = freeze(s);
        }
    }
    if (!err && s->usage.disk_full && !s->frozen)
        err = look_behind(s);
    s->broken |= err != 0;
    return err;
}

int journal_commit_behind(struct journal_store *s)
{
    int err = journal_settle(s);
    s->filling->next = journal_next(s->journal);
    if (!err)
        err = freeze(s);
    return err ? err : journal_settle(s);
}

int journal_drain(struct journal_store *s)
{
    int err = journal_settle(s);
    if (!err && !is_empty(s))
        err = freeze(s);
    return err ? err : journal_settle(s);
}

/* ---- how full ---- */

/* What is in memory only counts as if it were behind, by what it was charged. */
void journal_usage(struct store *base, struct store_usage *ret)
{
    const struct journal_store *s = journal_store_of(base);
    uint64_t charged = s->filling->charged_bytes + (s->frozen ? s->frozen->charged_bytes : 0);
    *ret = s->usage;
    ret->used_bytes += charged;
    ret->free_bytes = less(ret->free_bytes, charged);
    ret->usable_bytes = less(ret->usable_bytes, charged);
    if (!s->read_only)
        ret->usable_bytes = least(ret->usable_bytes, least(RECORD_BYTES_MAX, s->bytes / 4));
}

uint64_t journal_disk_free(struct store *base)
{
    return store_disk_free(journal_store_of(base)->behind);
}

int journal_pack(struct store *base, uint64_t most_bytes, bool *ret_more)
{
    struct journal_store *s = journal_store_of(base);
    *ret_more = false;
    if (s->broken)
        return SHUNT_IO;
    int err = journal_drain(s); /* the store behind has one writer */
    journal_below_close(s);
    if (!err)
        err = store_pack(s->behind, most_bytes, ret_more);
    if (!err)
        store_usage(s->behind, &s->usage);
    s->broken |= err != 0;
    return err;
}
