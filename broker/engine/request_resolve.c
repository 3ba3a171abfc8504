/* request_resolve: RESOLVE, the ends of deliveries. */
#include "broker/engine/collect.h"
#include "broker/engine/divide.h"
#include "broker/engine/requests.h"
#include "broker/engine/state.h"
#include "broker/engine/subscription.h"
#include "broker/engine/text.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"

_Static_assert(NONE_ms == DELAY_BACKOFF, "an entry that names no delay leaves it to the back-off");

/* `ret->delay_ms` is what the fourth value says, whatever it is for. */
static void read_entry(struct request_source *from, struct resolution *ret, uint8_t *ret_outcome)
{
    struct wire_entry e;
    request_read_wire_entry(from, &e);
    ret->seq = e.seq;
    ret->token = e.token;
    ret->delay_ms = e.delay_or_extend;
    ret->error_type = e.error_type;
    ret->error_message = e.error_message;
    ret->error_stack = e.error_stack;
    ret->fingerprint = e.fingerprint;
    *ret_outcome = e.outcome;
}

static int check_entry(const struct resolution *e, uint8_t outcome)
{
    if (outcome == OUTCOME_UNKNOWN || e->delay_ms > DURATION_MS_MAX ||
        (outcome == OUTCOME_EXTEND && e->delay_ms < 1))
        return SHUNT_BAD_ARGUMENT;
    return 0;
}

static void finish_entry(struct resolution *e, uint8_t outcome, const struct lease_times *times)
{
    static const enum attempt_outcome outcomes[] = {[OUTCOME_NACK] = ATTEMPT_NACKED,
                                                    [OUTCOME_REJECT] = ATTEMPT_REJECTED,
                                                    [OUTCOME_RELEASE] = ATTEMPT_RELEASED,
                                                    [OUTCOME_LATE] = ATTEMPT_DEADLINE_EXCEEDED};
    e->acked = outcome == OUTCOME_ACK;
    if (e->acked)
        return;
    e->outcome = outcomes[outcome];
    if (outcome == OUTCOME_REJECT || outcome == OUTCOME_LATE)
        e->delay_ms = DELAY_BACKOFF;
    e->leased_ms = times->leased_ms;
    e->started_ms = times->started_ms;
}

/* Close the lease or prolong it; what changes durable state goes into the command. */
static int resolve_entry(struct engine *e, const struct subscription *sub, uint32_t index,
                         struct resolving *to)
{
    struct resolution *entry = &to->entries[index];
    uint8_t outcome = to->outcomes[index];
    struct lease_times times;
    int err = check_entry(entry, outcome);
    if (err)
        return err;
    if (!sub)
        return SHUNT_STALE;
    if (outcome == OUTCOME_EXTEND) {
        return dispatcher_extend(e->dispatcher, sub->member, entry->seq, entry->token,
                                 e->mono_ms + entry->delay_ms);
    }
    err = dispatcher_claim(e->dispatcher, sub->member, entry->seq, entry->token, &times);
    if (err)
        return err;
    finish_entry(entry, outcome, &times);
    if (e->keys.out) {
        keys_ended(&e->keys, member_group(sub->member), entry->seq, e->wall_ms - times.leased_ms,
                   !entry->acked && keys_failed(entry->outcome), e->mono_ms);
    }
    if (to->count != index)
        to->entries[to->count] = *entry;
    to->indexes[to->count++] = to->first + index;
    return 0;
}

/* How many ms the answer may be kept back: that of an ack which says so, and which has an effect. */
static int64_t patience_ms(uint8_t outcome, int64_t delay_ms, int err)
{
    return !err && outcome == OUTCOME_ACK && delay_ms != DELAY_BACKOFF ? delay_ms : 0;
}

static uint64_t rows_of_entry(uint8_t outcome, size_t bytes)
{
    bool fails = outcome == OUTCOME_NACK || outcome == OUTCOME_REJECT || outcome == OUTCOME_LATE;
    return ROWS_OF_MESSAGE + (fails ? ROWS_OF_FAILURE + bytes / ROWS_BYTES : 0);
}

static void make_room(struct session *s, uint32_t count, struct resolving *to)
{
    struct arena *a = &s->engine->arena;
    uint32_t earlier = s->division.refused_count;
    *to = (struct resolving){.entries = arena_room(a, (count + 1) * sizeof(struct resolution)),
                             .outcomes = arena_room(a, count + 1),
                             .indexes = arena_room(a, (count + 1) * sizeof(uint32_t)),
                             .refused = arena_room(a, (count + earlier + 1) * sizeof(struct refused_entry))};
    if (!to->entries || !to->outcomes || !to->indexes || !to->refused)
        engine_die(s->engine, SHUNT_NO_MEMORY, "no memory for a RESOLVE");
}

/* Read the entries that may be resolved in this turn, of so many in the frame; the others only to see that
 * they are entries, once. Returns the rows that these are. */
static uint64_t read_part(struct session *s, struct request_source *from, uint32_t count,
                          struct resolving *to)
{
    struct mpack_reader *r = &from->r;
    struct division *d = &s->division;
    bool begun = d->begun;
    uint64_t most = share_left(s), rows = 0, all = 0;
    uint32_t left = count - d->done, part = left;
    const uint8_t *array = r->at, *end = NULL;
    r->at += d->at;
    make_room(s, begun && left > most ? (uint32_t)most : left, to);
    for (uint32_t i = 0; i < left && !r->failed && !(begun && end); i++) {
        const uint8_t *at = r->at;
        read_entry(from, &to->entries[i], &to->outcomes[i]);
        all += rows_of_entry(to->outcomes[i], (size_t)(r->at - at));
        if (i && all > most && !end) {
            part = i;
            end = at;
        }
        rows = end ? rows : all;
    }
    if (r->failed)
        return 0;
    to->first = d->done;
    if (part == left) {
        for (; to->refused_count < d->refused_count; to->refused_count++)
            to->refused[to->refused_count] = d->refused[to->refused_count];
        d->part_bytes = begun ? (size_t)(r->at - array) - d->at : 0;
        divide_end(s);
    } else {
        d->part_bytes = (size_t)(end - array) - d->at;
        d->begun = true;
        d->done += part;
        d->at += d->part_bytes;
    }
    to->read = part;
    return rows;
}

int make_resolve(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct resolve_request *q = &fields->resolve;
    struct resolving *to = &ret->resolving;
    struct request_source from;
    mpack_read_init(&from.r, q->entries.bytes.data, q->entries.bytes.size);
    request_source_init(&from);
    ret->rows = read_part(s, &from, q->entries.count, to);
    if (from.r.failed) {
        ret->why = REQUEST_MALFORMED;
        return SHUNT_PROTOCOL;
    }
    to->subscription = q->sub;
    ret->more = s->division.begun;
    return 0;
}

void run_resolve(struct engine *e, struct step *st)
{
    struct resolving *to = &st->resolving;
    const struct session *s = st->session;
    const struct subscription *sub = session_subscription(s, to->subscription);
    int64_t wait_ms = DURATION_MS_MAX;
    for (uint32_t i = 0; i < to->read; i++) {
        int64_t delay_ms = to->entries[i].delay_ms;
        int err = resolve_entry(e, sub, i, to);
        int64_t most_ms = patience_ms(to->outcomes[i], delay_ms, err);
        wait_ms = most_ms < wait_ms ? most_ms : wait_ms;
        if (err)
            to->refused[to->refused_count++] = (struct refused_entry){to->first + i, err};
    }
    if (to->read)
        transaction_allow_wait(e, wait_ms);
    const struct command c = {.kind = COMMAND_RESOLVE,
                              .resolve = {.group = sub ? member_group(sub->member) : 0,
                                          .by = {slice_of(s->client), slice_of(s->host), slice_of(s->build)},
                                          .entries = to->entries,
                                          .count = to->count}};
    collect_command(e, &c, st);
    e->turn_messages += to->count;
}
