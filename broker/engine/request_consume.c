/* request_consume: SUBSCRIBE, CREDIT, UNSUBSCRIBE, RESOLVE, STARTED. */
#include "broker/engine/engine_private.h"
#include "proto/errors.h"
#include "proto/names.h"

#include <stdlib.h>

static int check_credit(uint64_t messages, uint64_t bytes, const char **ret_why)
{
    if (messages <= CREDIT_MESSAGES_MAX && bytes <= CREDIT_BYTES_MAX)
        return 0;
    *ret_why = "credit is at most 65536 messages and 268435456 bytes";
    return SHUNT_BAD_ARGUMENT;
}

static struct subscription *subscribe(struct session *s, struct group *g, uint64_t messages, uint64_t bytes)
{
    struct engine *e = s->engine;
    if (s->subscriptions_count == s->subscriptions_capacity) {
        size_t capacity = s->subscriptions_capacity ? s->subscriptions_capacity * 2 : 2;
        struct subscription **more = realloc(s->subscriptions, capacity * sizeof(struct subscription *));
        if (!more)
            return NULL;
        s->subscriptions = more;
        s->subscriptions_capacity = capacity;
    }
    struct subscription *sub = calloc(1, sizeof *sub);
    if (!sub)
        return NULL;
    sub->member =
        dispatcher_subscribe(e->dispatcher, s->holder, ledger_group_id(g), (uint32_t)messages, bytes);
    if (!sub->member) {
        free(sub);
        return NULL;
    }
    member_set_owner(sub->member, sub);
    sub->session = s;
    sub->id = s->subscription_next++;
    s->subscriptions[s->subscriptions_count++] = sub;
    e->subscriptions++;
    return sub;
}

void request_subscribe(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    (void)op;
    struct slice topic = mpack_read_str(r), group = mpack_read_str(r);
    uint64_t messages = mpack_read_uint(r), bytes = mpack_read_uint(r);
    const char *why = NULL;
    struct kept kept = {0};
    bool few = r->failed || kept_read(s, r, &kept, &why);
    if (r->failed)
        return;
    gather_flush(s->engine);
    int err = few ? name_check_topic(topic, &why) : SHUNT_BAD_ARGUMENT;
    if (!err)
        err = check_credit(messages, bytes, &why);
    if (!err && s->subscriptions_count == SUBSCRIPTIONS_MAX) {
        why = "at most 1024 subscriptions on one connection";
        err = SHUNT_TOO_MANY;
    }
    struct group *g = err ? NULL : ledger_group(s->engine->ledger, topic, group, &err);
    struct subscription *sub = g ? subscribe(s, g, messages, bytes) : NULL;
    if (!sub) {
        err = g ? SHUNT_NO_MEMORY : err;
        reply_error(s, request_id, err, why ? why : engine_about(s->engine, err, topic, group, HINT_MISSING));
        return;
    }
    kept_take_up(sub, &kept);
    struct answer a = answer_begin(s, request_id, 2u + kept.given);
    mpack_write_uint(a.out, sub->id);
    mpack_write_int(a.out, ledger_group_lease_ms(g));
    if (kept.given)
        kept_write(&kept, a.out);
    answer_end(s, request_id, &a, 0, NULL);
}

static struct subscription *named(struct session *s, uint64_t request_id, uint64_t id)
{
    struct subscription *sub = session_subscription(s, id);
    if (!sub) {
        gather_flush(s->engine);
        reply_error(s, request_id, SHUNT_NOT_FOUND,
                    engine_text(s->engine, "subscription %llu is not of this connection, or has ended",
                                (unsigned long long)id));
    }
    return sub;
}

void request_credit(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    (void)op;
    uint64_t id = mpack_read_uint(r), messages = mpack_read_uint(r), bytes = mpack_read_uint(r);
    const char *why = NULL;
    if (r->failed)
        return;
    gather_flush(s->engine); /* first: what is deleted here ends subscriptions, maybe this one */
    struct subscription *sub = named(s, request_id, id);
    if (!sub)
        return;
    int err = check_credit(messages, bytes, &why);
    if (err) {
        reply_error(s, request_id, err, why);
        return;
    }
    dispatcher_credit(s->engine->dispatcher, sub->member, (uint32_t)messages, bytes);
    reply_ok(s, request_id);
}

void request_unsubscribe(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    (void)op;
    struct ends ends = {.engine = s->engine};
    uint64_t id = mpack_read_uint(r);
    struct subscription *sub = r->failed ? NULL : named(s, request_id, id);
    if (!sub)
        return;
    dispatcher_unsubscribe(s->engine->dispatcher, sub->member, ends_add, &ends);
    ends_gather(&ends);
    session_drop_subscription(s, sub);
    gather_flush(s->engine);
    reply_ok(s, request_id);
}

void request_started(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    (void)op;
    struct engine *e = s->engine;
    struct subscription *sub = session_subscription(s, mpack_read_uint(r));
    uint32_t count = mpack_read_array(r);
    struct mpack_reader marks = *r;
    for (uint32_t i = 0; i < count && !r->failed; i++)
        (void)mpack_read_uint(r);
    r->failed |= count % 2 != 0;
    if (r->failed)
        return; /* before any of them has an effect */
    if (count / 2 > FRAME_MESSAGES_MAX) {
        e->urgent = true;
        gather_flush(e);
        reply_error(s, request_id, SHUNT_BAD_ARGUMENT,
                    engine_text(e, "a STARTED carries at most %d messages", FRAME_MESSAGES_MAX));
        return;
    }
    share_count(s, count / 2);
    for (uint32_t i = 0; sub && i < count; i += 2) {
        uint64_t seq = mpack_read_uint(&marks), token = mpack_read_uint(&marks);
        /* A stale mark says nothing about what is held now. */
        (void)dispatcher_started(e->dispatcher, sub->member, seq, token, e->mono_ms, e->wall_ms);
    }
}

/* ---- RESOLVE ---- */

static struct slice optional_text(struct mpack_reader *r, uint32_t *left)
{
    if (!*left)
        return (struct slice){0};
    (*left)--;
    if (mpack_read_is_nil(r))
        return (struct slice){0};
    return mpack_read_str(r);
}

/* One that no outcome has. */
#define OUTCOME_UNKNOWN UINT8_MAX

/* What one RESOLVE frame becomes. */
struct resolving {
    struct resolution *entries; /* as they were read; then those that go into the command, closed up */
    uint8_t *outcomes;          /* of all that were read */
    uint32_t *indexes;          /* in the frame, of those that go into the command */
    uint32_t count;
    uint32_t first; /* index in the frame of the first that was read */
    struct refused_entry *refused;
    uint32_t refused_count;
};

/* `ret->delay_ms` is what the fourth field says, whatever it is for; DELAY_BACKOFF if nothing. */
static void read_entry(struct mpack_reader *r, struct resolution *ret, uint8_t *ret_outcome)
{
    uint32_t left = mpack_read_array(r);
    r->failed |= left < 3;
    ret->seq = mpack_read_uint(r);
    ret->token = mpack_read_uint(r);
    uint64_t outcome = mpack_read_uint(r);
    *ret_outcome = outcome <= OUTCOME_EXTEND ? (uint8_t)outcome : OUTCOME_UNKNOWN;
    left = left >= 3 ? left - 3 : 0;
    ret->delay_ms = DELAY_BACKOFF;
    if (left) {
        left--;
        if (!mpack_read_is_nil(r)) {
            uint64_t ms = mpack_read_uint(r);
            ret->delay_ms = ms > DURATION_MS_MAX ? DURATION_MS_MAX + 1 : (int64_t)ms;
        }
    }
    ret->error_type = optional_text(r, &left);
    ret->error_message = optional_text(r, &left);
    ret->error_stack = optional_text(r, &left);
    while (left-- && !r->failed)
        (void)mpack_read_any(r); /* fields of a later version */
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
                                                    [OUTCOME_RELEASE] = ATTEMPT_RELEASED};
    e->acked = outcome == OUTCOME_ACK;
    if (e->acked)
        return;
    e->outcome = outcomes[outcome];
    if (outcome == OUTCOME_REJECT)
        e->delay_ms = DELAY_BACKOFF;
    e->leased_ms = times->leased_ms;
    e->started_ms = times->started_ms;
}

/* Close the lease or prolong it; what changes durable state goes into the command. */
static int resolve_entry(struct session *s, struct subscription *sub, uint32_t index, struct resolving *to)
{
    struct engine *e = s->engine;
    struct resolution *entry = &to->entries[index];
    uint8_t outcome = to->outcomes[index];
    struct lease_times times;
    int err = check_entry(entry, outcome);
    if (err)
        return err;
    if (!sub)
        return SHUNT_STALE;
    if (outcome == OUTCOME_EXTEND)
        return dispatcher_extend(e->dispatcher, sub->member, entry->seq, entry->token,
                                 e->mono_ms + entry->delay_ms);
    err = dispatcher_claim(e->dispatcher, sub->member, entry->seq, entry->token, &times);
    if (err)
        return err;
    finish_entry(entry, outcome, &times);
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
    bool fails = outcome == OUTCOME_NACK || outcome == OUTCOME_REJECT;
    return ROWS_OF_MESSAGE + (fails ? ROWS_OF_FAILURE + bytes / ROWS_BYTES : 0);
}

static void make_room(struct session *s, uint32_t count, struct resolving *to)
{
    struct arena *a = &s->engine->arena;
    uint32_t earlier = s->division.refused_count;
    *to = (struct resolving){.entries = arena_take(a, (count + 1) * sizeof(struct resolution)),
                             .outcomes = arena_take(a, count + 1),
                             .indexes = arena_take(a, (count + 1) * sizeof(uint32_t)),
                             .refused = arena_take(a, (count + earlier + 1) * sizeof(struct refused_entry))};
    if (!to->entries || !to->outcomes || !to->indexes || !to->refused)
        engine_die(s->engine, SHUNT_NO_MEMORY, "no memory for a RESOLVE");
}

/* Read the entries that may be resolved in this turn, of so many in the frame; the others only to see that
 * they are entries, once. Returns how many those are. */
static uint32_t read_part(struct session *s, struct mpack_reader *r, uint32_t count, struct resolving *to)
{
    struct division *d = &s->division;
    bool begun = d->begun;
    uint64_t most = share_left(s), rows = 0, all = 0;
    uint32_t left = count - d->done, part = left;
    const uint8_t *array = r->at, *end = NULL;
    r->at += d->at;
    make_room(s, begun && left > most ? (uint32_t)most : left, to);
    for (uint32_t i = 0; i < left && !r->failed && !(begun && end); i++) {
        const uint8_t *at = r->at;
        read_entry(r, &to->entries[i], &to->outcomes[i]);
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
    share_count(s, rows);
    return part;
}

void request_resolve(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    (void)op;
    struct engine *e = s->engine;
    struct subscription *sub = session_subscription(s, mpack_read_uint(r));
    uint32_t count = mpack_read_array(r);
    if (r->failed)
        return;
    if (count > FRAME_MESSAGES_MAX) {
        e->urgent = true;
        gather_flush(e);
        reply_error(s, request_id, SHUNT_BAD_ARGUMENT,
                    engine_text(e, "a RESOLVE carries at most %d entries", FRAME_MESSAGES_MAX));
        return;
    }
    struct resolving to;
    uint32_t part = read_part(s, r, count, &to);
    if (r->failed)
        return; /* before any of them has an effect */
    int64_t wait_ms = DURATION_MS_MAX;
    for (uint32_t i = 0; i < part; i++) {
        int64_t delay_ms = to.entries[i].delay_ms;
        int err = resolve_entry(s, sub, i, &to);
        int64_t most_ms = patience_ms(to.outcomes[i], delay_ms, err);
        wait_ms = most_ms < wait_ms ? most_ms : wait_ms;
        if (err)
            to.refused[to.refused_count++] = (struct refused_entry){to.first + i, err};
    }
    if (count)
        turn_allow_wait(e, wait_ms);
    struct command c = {.kind = COMMAND_RESOLVE,
                        .resolve = {.group = sub ? member_group(sub->member) : 0,
                                    .by = {{s->client, __builtin_strlen(s->client)},
                                           {s->host, __builtin_strlen(s->host)},
                                           {s->build, __builtin_strlen(s->build)}},
                                    .entries = to.entries,
                                    .count = to.count}};
    struct pending *p = gather_add(e, &c, PENDING_RESOLVE, s, request_id);
    p->refused = to.refused;
    p->refused_count = to.refused_count;
    p->entries = to.count;
    p->indexes = to.indexes;
    p->more = s->division.begun;
    e->turn_messages += to.count;
}
