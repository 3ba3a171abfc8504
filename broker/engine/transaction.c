/* transaction: what is written to the store, and no more of it at once than there is room for.
 *
 * A turn is one transaction as a rule. What would write more than one may (room.h) is committed in parts, one
 * after the other, within the turn; nobody is told anything before the last of them.
 */
#include "broker/engine/transaction.h"
#include "base/check.h"
#include "base/clock.h"
#include "broker/engine/state.h"
#include "proto/errors.h"

#include <string.h>

/* Whether a full disk has room again shows when more of it is asked for. Commits do; but where only publishes
 * come, and are refused, there is none. */
#define DISK_ASK_MS 1000

/* Pages of so many bytes are packed at once; and what must be free for it, which may be written twice beside
 * the pages above and the list of free ones. */
#define PACK_BYTES      (128u * 1024)
#define ROOM_PACK_BYTES (4ull * PACK_BYTES)

/* No room to grow shows as less free space, which the next look acts on. After any other failure the store may be good for nothing
 * but closing: what it has promised to keep free need not be there, and a journal's records cannot be put away. */
static void maintain(struct engine *e)
{
    int err = store_maintain(e->store);
    if (err && err != SHUNT_NO_SPACE)
        engine_die(e, err, "the store could not be maintained; all that was confirmed is durable");
}

static void look_at_room(struct engine *e, struct store_usage *ret)
{
    store_usage(e->store, ret);
    room_look(&e->room, ret, dispatcher_leases(e->dispatcher), e->largest_bytes);
}

/* Whether the disk has so much shows only when it is asked: if it has less, that is what bounds the store. */
static void ask_disk(struct engine *e, uint64_t bytes, struct store_usage *ret)
{
    uint64_t before = e->room.aside_bytes;
    int err = store_set_aside(e->store, bytes);
    if (err && err != SHUNT_NO_SPACE)
        engine_die(e, err, "no room could be set aside on the disk; all that was confirmed is durable");
    look_at_room(e, ret);
    if (e->room.aside_bytes <= before) /* else it would be asked for the same for ever */
        e->room.may_ask = false;
}

void transaction_look_at_room(struct engine *e)
{
    struct store_usage usage;
    check(!e->txn);
    bool unfit = e->room.unfit;
    look_at_room(e, &usage);
    if (usage.disk_full && e->mono_ms >= e->disk_ask_ms) {
        e->disk_ask_ms = e->mono_ms + DISK_ASK_MS;
        maintain(e);
        look_at_room(e, &usage);
    }
    if (unfit && e->room.may_ask)
        ask_disk(e, room_ask_more(&e->room), &usage);
    else if (e->room.ask_bytes)
        ask_disk(e, e->room.ask_bytes, &usage);
    events_space(e, &usage);
}

bool transaction_pack(struct engine *e)
{
    struct store_usage usage;
    bool more = false;
    check(!e->txn);
    store_usage(e->store, &usage);
    if (usage.usable_bytes < ROOM_PACK_BYTES)
        return false;
    int err = store_pack(e->store, PACK_BYTES, &more);
    if (err)
        engine_die(e, err, "the store could not be packed");
    maintain(e);
    return more;
}

struct store_txn *transaction_open(struct engine *e)
{
    if (!e->txn) {
        int err = store_begin(e->store, true, &e->txn);
        if (err)
            engine_die(e, err, "a transaction could not begin");
    }
    return e->txn;
}

static uint64_t members(void *context, uint32_t group)
{
    const struct engine *e = magic_of(context, engine, ENGINE_MAGIC);
    return dispatcher_members(e->dispatcher, group);
}

static bool holder(void *context, uint32_t group, uint64_t seq, struct view_holder *ret)
{
    const struct engine *e = magic_of(context, engine, ENGINE_MAGIC);
    struct lease_look look;
    if (!dispatcher_look(e->dispatcher, group, seq, &look))
        return false;
    const struct session *s = session_of(look.holder);
    *ret = (struct view_holder){.connection = s->number,
                                .client = s->client,
                                .host = s->host,
                                .build = s->build,
                                .peer = s->link->peer,
                                .leased_ms = look.leased_ms,
                                .started_ms = look.started_ms,
                                .until_ms = e->wall_ms + look.deadline_mono_ms - e->mono_ms,
                                .silent = holder_is_silent(look.holder)};
    return true;
}

struct view transaction_view(struct engine *e)
{
    return (struct view){
        .ledger = e->ledger, .txn = transaction_open(e), .members = members, .holder = holder, .context = e};
}

void transaction_abort(struct engine *e)
{
    if (e->txn)
        store_abort(e->txn);
    e->txn = NULL;
}

void transaction_commit(struct engine *e)
{
    static const double seconds[HISTOGRAM_BUCKETS - 1] = COMMIT_SECONDS_BOUNDS;
    static const double messages[HISTOGRAM_BUCKETS - 1] = COMMIT_MESSAGES_BOUNDS;
    if (e->force_commit)
        (void)transaction_open(e);
    if (!e->txn)
        return;
    struct store_txn *txn = e->txn;
    e->txn = NULL;
    e->room.spent_bytes = 0;
    if (!ledger_changed(e->ledger) && !e->force_commit) {
        store_abort(txn);
        return;
    }
    int64_t begin_us = clock_mono_us();
    int err = ledger_seal(e->ledger, txn);
    if (err)
        store_abort(txn);
    else
        err = store_commit(txn);
    if (err)
        engine_die(e, err, "a commit failed; it is unknown whether its changes are durable");
    int64_t took_us = clock_mono_us() - begin_us;
    e->force_commit = false;
    e->commits++;
    e->commit_us += (uint64_t)took_us;
    histogram_add(&e->commit_seconds, seconds, (double)took_us / 1e6);
    histogram_add(&e->commit_messages, messages, (double)e->turn_messages);
    maintain(e);
}

void transaction_allow_wait(struct engine *e, int64_t ms)
{
    int64_t most_ms = ms < e->config.limits.ack_wait_ms ? ms : e->config.limits.ack_wait_ms;
    e->urgent |= most_ms == 0;
    if (!e->open_until_ms || e->mono_ms + most_ms < e->open_until_ms)
        e->open_until_ms = e->mono_ms + most_ms;
}

/* The batch as others would apply it: what was found damaged comes first. */
static void tell_applied(struct engine *e, const struct batch *batch, const struct damaged_command *damaged,
                         size_t count)
{
    struct batch told = *batch;
    struct command *commands = arena_take(&e->arena, (count + batch->count) * sizeof *commands);
    if (!commands)
        engine_die(e, SHUNT_NO_MEMORY, "no memory for a batch");
    for (size_t i = 0; i < count; i++)
        commands[i] = (struct command){.kind = COMMAND_DAMAGED, .damaged = damaged[i]};
    memcpy(commands + count, batch->commands, batch->count * sizeof *commands);
    told.commands = commands;
    told.count += count;
    e->config.applied(e->config.context, &told);
}

static void after_batch(struct engine *e, const struct batch *batch)
{
    const struct damaged_command *damaged;
    size_t count;
    int err = ledger_settle_damage(e->ledger, e->txn, &damaged, &count);
    if (err)
        engine_die(e, err, "what was found damaged could not be noted");
    if (e->config.applied && count)
        tell_applied(e, batch, damaged, count);
    else if (e->config.applied)
        e->config.applied(e->config.context, batch);
}

size_t transaction_apply(struct engine *e, struct command *commands, size_t count)
{
    int64_t last_ms = ledger_time(e->ledger);
    struct store_txn *txn = transaction_open(e);
    struct batch batch = {.index = ledger_index(e->ledger) + 1,
                          .time_ms = e->wall_ms > last_ms ? e->wall_ms : last_ms,
                          .commands = commands,
                          .count = count,
                          .room = room_of_batch(&e->room)};
    uint32_t entries;
    int err = ledger_apply(e->ledger, txn, &batch);
    if (err)
        engine_die(e, err, "a batch could not be applied");
    size_t applied = ledger_applied(e->ledger, &entries);
    struct command *next = &commands[applied];
    uint32_t whole = entries ? next->resolve.count : 0;
    if (entries)
        next->resolve.count = entries;
    batch.count = applied + (entries > 0);
    if (batch.count)
        after_batch(e, &batch);
    if (entries)
        next->resolve.count = whole;
    e->room.unfit = !batch.count && !e->room.spent_bytes;
    e->room.spent_bytes += ledger_spent(e->ledger);
    check(applied == count || !batch.room.first || batch.count); /* or this would never end */
    return applied;
}

void transaction_cut(struct engine *e, struct command *next)
{
    uint32_t entries;
    (void)ledger_applied(e->ledger, &entries); /* of `next`: the others are its own */
    if (entries) {
        next->resolve.count -= entries;
        next->resolve.entries += entries;
    }
    transaction_commit(e);
    transaction_look_at_room(e);
}
