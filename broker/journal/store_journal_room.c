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
/* The parts of the journal's file, as long as it may become, that one generation may have of it, and from which on messages are put away once it can no longer be made longer. */
#define FILE_PART 8
#define KEPT_PART 2
/* One generation has no more of it: what is consumed in time then goes round in a few times as much, which stays in the system's memory. */
#define FILE_BYTES_MAX (64ull << 20)
/* Nor so much, if its records are mostly padding: putting its rows away whole is cheaper than writing blocks ahead for ever more records. */
#define PADDED_BYTES_MAX (4ull << 20)
/* It is made longer when so much of it is needed. */
#define EXTEND_PART 3
/* By no more at a time: the thread that does it also puts generations away, and the engine would wait for the one while it does the other. If nobody writes, by more. */
#define EXTEND_BYTES      (16ull << 20)
#define EXTEND_IDLE_BYTES (128ull << 20)
/* The blocks behind its end are written when it is made longer, so that the flush of a record has nothing else to do; but where records are as
 * long as this in the mean, the disk's bandwidth is what they wait for, and each byte would go there twice. */
#define SHORT_RECORD_BYTES (32u << 10)

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
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
        s->bytes = journal_bytes(s->journal); /* a full disk: it stays as it is until that has room again */
        return 0;
    }
    if (!err)
        journal_extended(s->journal, to);
    return err;
}

/* Whether the disk that was too full for the file to become longer has room again, for that and as much beside it. */
static bool disk_has_room(const struct journal_store *s)
{
    uint64_t most = s->bytes_max - journal_bytes(s->journal);
    return store_disk_free(s->behind) / 2 >= least(journal_bytes(s->journal), most);
}

static bool may_extend(const struct journal_store *s)
{
    return journal_bytes(s->journal) < s->bytes && !merge_busy(&s->merge, MERGE_FILE);
}

static void extend(struct journal_store *s)
{
    uint64_t bytes = journal_bytes(s->journal);
    struct journal_place next = journal_next(s->journal);
    uint64_t appended = journal_appended_bytes(s->journal);
    uint64_t records = next.number - s->extended_number;
    bool short_records = !records || (appended - s->extended_appended) / records < SHORT_RECORD_BYTES;
    s->extended_number = next.number;
    s->extended_appended = appended;
    uint64_t more = least(bytes, records ? EXTEND_BYTES : EXTEND_IDLE_BYTES);
    merge_ask_file(&s->merge, journal_file_of(s->journal), bytes, least(bytes + more, s->bytes),
                   short_records);
}

int journal_make_room(struct journal_store *s, size_t body_bytes)
{
    int err = 0;
    while (!err && !journal_has_room(s->journal, body_bytes)) {
        s->waits++;
        bool helps = journal_needs_length(s->journal, body_bytes);
        if (helps && may_extend(s))
            extend(s);
        if (helps && merge_busy(&s->merge, MERGE_FILE)) {
            err = take_file(s, true);
            continue;
        }
        if (s->readers)
            return SHUNT_NO_SPACE;
        if (!s->frozen && !merge_busy(&s->merge, MERGE_AWAY) && journal_may_put_away(s))
            journal_ask_away(s);
        if (s->frozen)
            err = journal_settle(s);
        else if (merge_busy(&s->merge, MERGE_AWAY))
            err = journal_take_away(s, true);
        else
            return SHUNT_NO_SPACE;
    }
    return err;
}

/* ---- generations ---- */

/* The frozen one is in the store behind. */
static int put_away(struct journal_store *s, int err)
{
    if (err)
        return journal_broken(s, err);
    err = journal_keep(s);
    generation_reset(s->frozen);
    s->spare = s->frozen;
    s->frozen = NULL;
    s->merges++;
    s->no_away = false;
    return err ? err : journal_look_behind(s);
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

static bool is_padded(const struct journal_store *s)
{
    return !s->keep_padded && generation_is_padded(s->filling);
}

/* Reads go on in the store behind as it was before, until the frozen one is gone: else its rows would count twice. */
static int freeze(struct journal_store *s)
{
    if (is_padded(s) || journal_leaves_for_nothing(s))
        generation_take_whole(s->filling);
    struct store_txn *below;
    int err = journal_below(s, &below);
    if (err)
        return err;
    s->frozen = s->filling;
    s->filling = s->spare;
    s->spare = NULL;
    struct journal_meta meta = journal_meta_after(s);
    merge_ask_generation(&s->merge, s->frozen, s->behind, &meta);
    return 0;
}

/* By how much the store behind can still grow. */
static uint64_t growth(const struct journal_store *s)
{
    return s->usage.disk_full ? 0 : less(s->usage.map_bytes_max, s->usage.map_bytes);
}

/* Of what the store behind has, as far as it cannot grow for them, what is for kept messages. */
static uint64_t for_kept(const struct journal_store *s)
{
    return less(journal_kept_bytes(s), growth(s));
}

static uint64_t less_kept(const struct journal_store *s, uint64_t bytes)
{
    return less(bytes, for_kept(s));
}

/* Of that, what the disk has given: a generation goes there in one transaction. */
static uint64_t usable(const struct journal_store *s)
{
    return less_kept(s, less(s->usage.usable_bytes, s->usage.unasked_bytes));
}

/* Nothing is being put away: have the disk give the store behind so much beyond what is for kept messages. fails: as store_set_aside() */
static int ask_behind(struct journal_store *s, uint64_t bytes)
{
    int err = store_set_aside(s->behind, bytes + for_kept(s));
    store_usage(s->behind, &s->usage);
    return err;
}

static bool has_its_part(const struct journal_store *s)
{
    uint64_t most = is_padded(s) ? PADDED_BYTES_MAX : FILE_BYTES_MAX;
    return !is_empty(s) && (s->filling->used >= s->memory_bytes / 2 ||
                            s->filling->file_bytes >= least(s->bytes / FILE_PART, most) ||
                            s->filling->charged_bytes >= usable(s) / FREE_PART);
}

/* Kept messages are in the way of records that come, or of the store behind's. */
static bool keeps_too_much(const struct journal_store *s)
{
    bool bounded = journal_bytes(s->journal) >= s->bytes;
    return journal_may_put_away(s) &&
           ((bounded && journal_used_bytes(s->journal) >= journal_bytes(s->journal) / KEPT_PART) ||
            journal_kept_bytes(s) >= (s->usage.usable_bytes + growth(s)) / FREE_PART);
}

/* A transaction could come that finds no room for its record, or the two generations have all the memory that they may have. */
static bool is_short(const struct journal_store *s)
{
    return s->filling->room - s->filling->used < RECORD_BYTES_MAX ||
           (s->frozen && s->filling->used >= s->memory_bytes) ||
           (journal_bytes(s->journal) == s->bytes &&
            !journal_has_room(s->journal, least(RECORD_BYTES_MAX, journal_body_bytes_max(s->journal)))) ||
           (s->frozen ? s->frozen->charged_bytes : 0) + s->filling->charged_bytes >= usable(s) / 2;
}

static bool is_idle(const struct journal_store *s)
{
    return !s->frozen && !merge_busy(&s->merge, MERGE_AWAY);
}

/* A generation that is frozen for want of room behind, though the disk may have more, makes the store behind ask for it, up to what a store of
 * some size has ahead anyway. False: there is no more. */
static bool gets_more_room(struct journal_store *s, int *ret_err)
{
    uint64_t before = usable(s);
    if (!s->usage.unasked_bytes || before >= STORE_AHEAD_BYTES ||
        s->filling->charged_bytes < before / FREE_PART)
        return false;
    int err = ask_behind(s, least(2 * before + s->filling->charged_bytes, STORE_AHEAD_BYTES));
    *ret_err = err == SHUNT_NO_SPACE ? 0 : err; /* that shows in its usage */
    return usable(s) > before;
}

/* Ask for what is due, or wait for what is asked, if a transaction could find no room. False: neither. */
static bool go_on(struct journal_store *s, int *ret_err)
{
    bool is = is_short(s);
    if (!is_idle(s)) {
        if (!is)
            return false;
        s->waits++;
        *ret_err = s->frozen ? journal_settle(s) : journal_take_away(s, true);
        return true;
    }
    if (!is_empty(s) && gets_more_room(s, ret_err))
        return true;
    if (*ret_err)
        return false;
    if (has_its_part(s) || (is && !is_empty(s)))
        *ret_err = freeze(s);
    else if (keeps_too_much(s) || (is && journal_may_put_away(s)))
        journal_ask_away(s);
    else
        return false;
    return true;
}

int journal_maintain(struct store *base)
{
    struct journal_store *s = journal_store_of(base);
    int err = 0, merge_err;
    check(!s->writing && !s->readers);
    if (s->broken)
        return s->broken;
    if (s->read_only)
        return 0;
    if (is_empty(s)) /* but for what was given up */
        generation_reset(s->filling);
    err = take_file(s, false);
    uint64_t bytes = journal_bytes(s->journal);
    bool wanted = bytes < s->ready_bytes || journal_needed_bytes(s) >= bytes / EXTEND_PART;
    if (!err && s->bytes < s->bytes_max && disk_has_room(s))
        s->bytes = s->bytes_max;
    if (!err && wanted && may_extend(s))
        extend(s);
    if (!err && s->frozen && merge_ended(&s->merge, MERGE_GENERATION, false, &merge_err))
        err = put_away(s, merge_err);
    if (!err)
        err = journal_take_away(s, false);
    while (!err && go_on(s, &err))
        ;
    if (!err && (s->usage.disk_full || s->usage.read_beside) && is_idle(s))
        err = journal_look_behind(s);
    return journal_broken(s, err);
}

int journal_set_aside(struct store *base, uint64_t bytes)
{
    struct journal_store *s = journal_store_of(base);
    if (s->broken)
        return s->broken;
    int err = journal_settle(s); /* the store behind has one writer */
    if (!err)
        err = journal_take_away(s, true);
    return err ? journal_broken(s, err) : ask_behind(s, bytes + s->filling->charged_bytes);
}

int journal_commit_behind(struct journal_store *s)
{
    int err = journal_settle(s);
    if (!err)
        err = journal_take_away(s, true);
    s->filling->next = journal_next(s->journal);
    if (!err)
        err = freeze(s);
    return err ? err : journal_settle(s);
}

int journal_drain(struct journal_store *s)
{
    int err = journal_settle(s);
    if (!err)
        err = journal_take_away(s, true);
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
    ret->used_bytes += charged + journal_kept_bytes(s);
    ret->free_bytes = less(ret->free_bytes, charged + for_kept(s));
    ret->usable_bytes = less(less_kept(s, s->usage.usable_bytes), charged);
    /* A disk that was too full for the file to become longer does not bound this: what the file cannot hold goes into the store behind. */
    if (!s->read_only)
        ret->usable_bytes = least(ret->usable_bytes, least(RECORD_BYTES_MAX, s->bytes_max / 4));
    ret->unasked_bytes = less(ret->usable_bytes, less(usable(s), charged));
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
        return s->broken;
    int err = journal_drain(s); /* the store behind has one writer */
    journal_below_close(s);
    if (!err)
        err = store_pack(s->behind, most_bytes, ret_more);
    if (!err)
        store_usage(s->behind, &s->usage);
    return journal_broken(s, err);
}
