/* raw_consume: subscriptions, deliveries, and all kinds of answers to them, right and wrong. */
#include "proto/errors.h"
#include "tests/sim/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- subscriptions ---- */

static bool reads(const struct raw *r, unsigned place)
{
    for (unsigned i = 0; i < RAW_SUBS_MAX; i++) {
        if (r->subs[i].used && !r->subs[i].dlq && r->subs[i].place == place)
            return true;
    }
    return false;
}

static void subscribe(struct raw *r, unsigned place, bool dlq)
{
    struct sim *s = r->client.sim;
    const struct place *p = &s->places[place];
    struct mpack_buffer frame;
    char name[128];
    size_t offset;
    unsigned sub = 0;
    while (sub < RAW_SUBS_MAX && r->subs[sub].used)
        sub++;
    struct asked_request *a = sub < RAW_SUBS_MAX ? raw_ask(r, &frame, &offset, OP_SUBSCRIBE, 4) : NULL;
    if (!a)
        return;
    (void)snprintf(name, sizeof name, dlq ? "dlq:%s:%s" : "%s", p->topic, p->group);
    const char *group = dlq ? "default" : p->group;
    a->sub = sub;
    r->subs[sub] = (struct raw_sub){.used = true,
                                    .dlq = dlq,
                                    .place = place,
                                    .topic_name = history_name(&s->history, name),
                                    .group_name = history_name(&s->history, group)};
    mpack_write_cstr(&frame, name);
    mpack_write_cstr(&frame, group);
    mpack_write_uint(&frame, s->draining ? SIM_CREDIT_MAX : dice_from(&s->dice, 1, 20));
    mpack_write_uint(&frame, dice_once_in(&s->dice, 8) ? 100 : 100000);
    raw_send(r, &frame, offset);
}

void raw_subscribed(struct raw *r, const struct asked_request *a, struct mpack_reader *reply, int err)
{
    struct raw_sub *sub = &r->subs[a->sub];
    if (err) {
        *sub = (struct raw_sub){0};
        return;
    }
    sub->id = mpack_read_uint(reply);
    sub->stands = true;
}

void raw_sub_ended(struct raw *r, unsigned sub)
{
    r->subs[sub] = (struct raw_sub){0};
    unsigned kept = 0;
    for (unsigned i = 0; i < r->held_count; i++) {
        if (r->held[i].sub != sub)
            r->held[kept++] = r->held[i];
    }
    r->held_count = kept;
}

void raw_closed(struct raw *r, uint64_t id)
{
    for (unsigned i = 0; i < RAW_SUBS_MAX; i++) {
        if (r->subs[i].stands && r->subs[i].id == id)
            raw_sub_ended(r, i);
    }
}

static void unsubscribe(struct raw *r, unsigned sub)
{
    struct mpack_buffer frame;
    size_t offset;
    struct asked_request *a = raw_ask(r, &frame, &offset, OP_UNSUBSCRIBE, 1);
    if (!a)
        return;
    a->sub = sub;
    mpack_write_uint(&frame, r->subs[sub].id);
    raw_send(r, &frame, offset);
    r->subs[sub].stands = false;
    sim_event(r->client.sim, HISTORY_LOST)->client = conn_number(r->client.conn);
}

static void change_credit(struct raw *r, unsigned sub)
{
    struct sim *s = r->client.sim;
    struct mpack_buffer frame;
    size_t offset;
    if (!raw_ask(r, &frame, &offset, OP_CREDIT, 3))
        return;
    mpack_write_uint(&frame, r->subs[sub].id);
    mpack_write_uint(&frame, s->draining ? SIM_CREDIT_MAX : dice_below(&s->dice, 30));
    mpack_write_uint(&frame, s->draining ? 1000000 : dice_below(&s->dice, 5000));
    raw_send(r, &frame, offset);
}

/* ---- deliveries ---- */

/* "TOPIC/SEQ" of the dead letter's origin. */
static uint64_t read_origin(struct mpack_reader *r)
{
    uint64_t seq = 0;
    uint32_t pairs = mpack_read_map(r);
    for (uint32_t i = 0; !r->failed && i < pairs; i++) {
        struct slice key = mpack_read_str(r);
        struct slice value = mpack_read_any(r);
        if (!slice_is(key, "origin"))
            continue;
        struct mpack_reader v;
        char text[160];
        mpack_read_init(&v, value.data, value.size);
        struct slice name = mpack_read_str(&v);
        (void)snprintf(text, sizeof text, "%.*s", (int)name.size, (const char *)name.data);
        const char *slash = strrchr(text, '/');
        seq = slash ? strtoull(slash + 1, NULL, 10) : 0;
    }
    return seq;
}

static void delivery(struct raw *r, unsigned sub, struct mpack_reader *reply)
{
    struct sim *s = r->client.sim;
    uint32_t fields = mpack_read_array(reply);
    struct history_event *e = sim_event(s, HISTORY_DELIVER);
    e->client = conn_number(r->client.conn);
    e->topic = r->subs[sub].topic_name;
    e->group = r->subs[sub].group_name;
    e->seq = mpack_read_uint(reply);
    e->token = mpack_read_uint(reply);
    e->attempts = (uint32_t)mpack_read_uint(reply);
    e->deliveries = (uint32_t)mpack_read_uint(reply);
    e->generation = (uint32_t)mpack_read_uint(reply);
    (void)mpack_read_int(reply);
    e->lease_ms = mpack_read_int(reply);
    struct slice message = mpack_read_any(reply);
    e->body = sim_message_digest(message);
    e->sent_us = conn_sent_us(r->client.conn, r->received - 1);
    struct raw_held h = {.sub = sub, .seq = e->seq, .token = e->token, .limited = fields > 9};
    if (fields > 8 && mpack_peek(reply) == MPACK_MAP)
        h.origin = read_origin(reply);
    else if (fields > 8)
        mpack_read_nil(reply);
    for (uint32_t i = 9; i < fields; i++)
        (void)mpack_read_any(reply); /* what is left until its deadline is the model's to judge */
    if (r->held_count == RAW_HELD_MAX) {
        memmove(r->held, r->held + 1, (RAW_HELD_MAX - 1) * sizeof *r->held);
        r->held_count--;
    }
    r->held[r->held_count++] = h;
}

void raw_delivered(struct raw *r, struct mpack_reader *reply)
{
    uint64_t id = mpack_read_uint(reply);
    uint32_t count = mpack_read_array(reply);
    unsigned sub = 0;
    while (sub < RAW_SUBS_MAX && !(r->subs[sub].used && r->subs[sub].id == id))
        sub++;
    if (sub == RAW_SUBS_MAX)
        sim_fail(r->client.sim, "a delivery for no subscription of this connection");
    for (uint32_t i = 0; i < count; i++)
        delivery(r, sub, reply);
    if (r->leaving || r->hostile || !r->subs[sub].stands) /* the request that gives it back is on its way */
        sim_event(r->client.sim, HISTORY_LOST)->client = conn_number(r->client.conn);
}

/* ---- answers ---- */

static void mark(struct raw *r, unsigned sub)
{
    struct sim *s = r->client.sim;
    struct mpack_buffer frame = {0};
    size_t offset = frame_begin(&frame, OP_STARTED, 0, 2);
    mpack_write_uint(&frame, r->subs[sub].id);
    size_t array = mpack_write_array_open(&frame);
    uint32_t count = 0;
    for (unsigned i = 0; i < r->held_count; i++) {
        struct raw_held *h = &r->held[i];
        if (h->sub != sub || h->started || h->answered || (count && dice_once_in(&s->dice, 2)))
            continue;
        h->started = true;
        count++;
        mpack_write_uint(&frame, h->seq);
        mpack_write_uint(&frame, h->token);
        struct history_event *e = sim_event(s, HISTORY_STARTED);
        e->client = conn_number(r->client.conn);
        e->topic = r->subs[sub].topic_name;
        e->group = r->subs[sub].group_name;
        e->seq = h->seq;
        e->token = h->token;
    }
    mpack_patch_array(&frame, array, count * 2);
    raw_send(r, &frame, offset);
}

static unsigned pick_outcome(struct sim *s)
{
    uint64_t roll = dice_below(&s->dice, 100);
    if (s->draining || roll < 55)
        return OUTCOME_ACK;
    return roll < 75   ? OUTCOME_NACK
           : roll < 83 ? OUTCOME_REJECT
           : roll < 91 ? OUTCOME_RELEASE
           : roll < 92 ? OUTCOME_LATE
                       : OUTCOME_EXTEND;
}

static void write_entry(struct raw *r, struct mpack_buffer *frame, struct raw_held *h,
                        struct asked_request *a)
{
    struct sim *s = r->client.sim;
    const struct raw_sub *sub = &r->subs[h->sub];
    unsigned outcome =
        h->limited && !s->draining && dice_once_in(&s->dice, 3) ? OUTCOME_LATE : pick_outcome(s);
    bool errors = outcome == OUTCOME_NACK || outcome == OUTCOME_REJECT;
    mpack_write_array(frame, errors ? 6 : outcome == OUTCOME_EXTEND ? 4 : 3);
    mpack_write_uint(frame, h->seq);
    mpack_write_uint(frame, h->token);
    mpack_write_uint(frame, outcome);
    if (outcome == OUTCOME_EXTEND)
        mpack_write_uint(frame, dice_from(&s->dice, 1, 2000));
    if (errors && dice_once_in(&s->dice, 2))
        mpack_write_uint(frame, dice_below(&s->dice, 500));
    else if (errors)
        mpack_write_nil(frame);
    if (errors) {
        mpack_write_cstr(frame, "sim");
        mpack_write_cstr(frame, "it did not work");
    }
    struct history_event *e = sim_event(s, HISTORY_RESOLVE);
    e->op = a->ops[a->ops_count++] = s->op_next++;
    e->client = conn_number(r->client.conn);
    e->topic = sub->topic_name;
    e->group = sub->group_name;
    e->seq = h->seq;
    e->token = h->token;
    e->outcome = (uint8_t)outcome;
    if (sub->dlq && outcome != OUTCOME_EXTEND && outcome != OUTCOME_RELEASE) {
        struct history_event *settle = sim_event(s, HISTORY_SETTLE);
        settle->topic = s->places[sub->place].topic_name;
        settle->group = s->places[sub->place].group_name;
        settle->seq = h->origin;
    }
    h->answered |= outcome != OUTCOME_EXTEND;
}

static void resolve(struct raw *r, unsigned sub)
{
    struct sim *s = r->client.sim;
    struct mpack_buffer frame;
    size_t offset;
    struct asked_request *a = raw_ask(r, &frame, &offset, OP_RESOLVE, 2);
    if (!a)
        return;
    mpack_write_uint(&frame, r->subs[sub].id);
    size_t array = mpack_write_array_open(&frame);
    for (unsigned i = 0; i < r->held_count && a->ops_count < RAW_OPS_MAX; i++) {
        struct raw_held *h = &r->held[i];
        bool again = h->answered && !s->draining &&
                     dice_once_in(&s->dice, 40); /* it must be told that this is stale */
        if (h->sub == sub && (again || (!h->answered && (s->draining || !dice_once_in(&s->dice, 3)))))
            write_entry(r, &frame, h, a);
    }
    mpack_patch_array(&frame, array, a->ops_count);
    raw_send(r, &frame, offset);
}

void raw_resolved(struct raw *r, const struct asked_request *a, struct mpack_reader *reply, int err)
{
    struct sim *s = r->client.sim;
    uint8_t results[RAW_OPS_MAX];
    memset(results, err ? HISTORY_ERROR : HISTORY_OK, sizeof results);
    uint32_t count = err ? 0 : mpack_read_array(reply);
    for (uint32_t i = 0; i + 1 < count; i += 2) {
        uint64_t index = mpack_read_uint(reply), code = mpack_read_uint(reply);
        if (index >= a->ops_count)
            sim_fail(s, "an answer to an entry that there was not");
        results[index] = code == SHUNT_STALE ? HISTORY_STALE : HISTORY_ERROR;
    }
    for (unsigned i = 0; i < a->ops_count; i++) {
        struct history_event *e = sim_event(s, HISTORY_RESOLVED);
        e->op = a->ops[i];
        e->result = results[i];
    }
}

static unsigned unanswered(const struct raw *r, unsigned sub)
{
    unsigned count = 0;
    for (unsigned i = 0; i < r->held_count; i++)
        count += r->held[i].sub == sub && !r->held[i].answered;
    return count;
}

static void consume_sub(struct raw *r, unsigned sub)
{
    struct sim *s = r->client.sim;
    if (unanswered(r, sub)) {
        if (r->marks && dice_once_in(&s->dice, 2))
            mark(r, sub);
        if (s->draining || dice_once_in(&s->dice, 3))
            resolve(r, sub);
    }
    if (s->draining ? dice_once_in(&s->dice, 50) : dice_once_in(&s->dice, 60))
        change_credit(r, sub);
    else if (!s->draining && dice_once_in(&s->dice, 100))
        unsubscribe(r, sub);
}

void raw_consume(struct raw *r)
{
    struct sim *s = r->client.sim;
    for (unsigned i = 0; i < s->places_count; i++) {
        bool wanted = s->draining ? dice_once_in(&s->dice, 5) : dice_once_in(&s->dice, 20);
        if (s->places[i].confirmed && !reads(r, i) && wanted)
            subscribe(r, i, false);
    }
    if (s->plan.dlq_consumers && !s->draining && s->places_count && dice_once_in(&s->dice, 40)) {
        unsigned place = (unsigned)dice_below(&s->dice, s->places_count);
        if (s->places[place].confirmed)
            subscribe(r, place, true);
    }
    for (unsigned i = 0; i < RAW_SUBS_MAX; i++) {
        if (r->subs[i].stands)
            consume_sub(r, i);
    }
}
