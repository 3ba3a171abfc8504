/* operator: the client that makes topics and groups, looks, pauses, purges, redrives and deletes. */
#include "tests/sim/operator.h"
#include "proto/errors.h"
#include "proto/policy.h"
#include "tests/sim/model.h"

#include <stdio.h>
#include <string.h>

/* ---- making ---- */

static void setting(struct mpack_buffer *to, const char *name, int64_t value)
{
    mpack_write_cstr(to, name);
    mpack_write_int(to, value);
}

static void write_policy(struct sim *s, struct mpack_buffer *to, bool discard)
{
    mpack_write_map(to, 5 + discard + 4 * s->plan.ordered + s->plan.fair + 4 * s->plan.breaker);
    setting(to, "max_attempts", s->plan.max_attempts);
    setting(to, "breaker", s->plan.breaker);
    setting(to, "lease_ms", s->plan.lease_ms);
    setting(to, "backoff_min_ms", s->plan.backoff_ms);
    setting(to, "backoff_max_ms", s->plan.backoff_ms * 4);
    if (discard)
        setting(to, "expired", 1);
    if (s->plan.fair)
        setting(to, "fair", 1);
    if (s->plan.breaker) {
        setting(to, "breaker_window", s->plan.breaker_window);
        setting(to, "breaker_threshold", s->plan.breaker_threshold);
        setting(to, "breaker_pause_min_ms", s->plan.breaker_pause_ms);
        setting(to, "breaker_pause_max_ms", s->plan.breaker_pause_ms * 4);
    }
    if (s->plan.ordered) {
        setting(to, "order", 1);
        setting(to, "on_dead", s->plan.on_dead);
        setting(to, "follow_max", s->plan.follow_max);
        setting(to, "key_run", s->plan.key_run);
    }
}

static struct place *add_place(struct sim *s, const char *topic, const char *group)
{
    struct place *p = &s->places[s->places_count++];
    *p = (struct place){0};
    (void)snprintf(p->topic, sizeof p->topic, "%s", topic);
    (void)snprintf(p->group, sizeof p->group, "%s", group);
    p->topic_name = history_name(&s->history, topic);
    p->group_name = history_name(&s->history, group);
    return p;
}

/* A topic of one group or two. */
static void think_of_topic(struct sim *s)
{
    char topic[64];
    (void)snprintf(topic, sizeof topic, "topic%u", s->places_count);
    (void)add_place(s, topic, "default");
    if (dice_once_in(&s->dice, 2) && s->places_count < GROUPS_MAX)
        (void)add_place(s, topic, "second");
}

static bool is_first_of_topic(const struct sim *s, unsigned place)
{
    return place == 0 || s->places[place].topic_name != s->places[place - 1].topic_name;
}

/* Topics are made with the groups thought of together; others are added. Asked again until it is answered. */
static void make(struct raw *r, unsigned place)
{
    struct sim *s = r->client.sim;
    struct place *p = &s->places[place];
    bool topic = is_first_of_topic(s, place);
    struct mpack_buffer frame;
    size_t offset;
    if (!topic && !s->places[place - 1].confirmed)
        return;
    struct asked_request *a =
        raw_ask(r, &frame, &offset, topic ? OP_TOPIC_CREATE : OP_GROUP_CREATE, topic ? 2 : 4);
    if (!a)
        return;
    a->place = place + 1;
    p->asked = true;
    mpack_write_cstr(&frame, p->topic);
    if (!topic)
        mpack_write_cstr(&frame, p->group);
    write_policy(s, &frame, s->plan.ttl && dice_once_in(&s->dice, 2));
    if (!topic)
        mpack_write_cstr(&frame, p->from_now ? "now" : "oldest");
    raw_send(r, &frame, offset);
}

static void made(struct raw *r, unsigned place, int err)
{
    struct sim *s = r->client.sim;
    struct place *p = &s->places[place];
    p->asked = false;
    if (err == SHUNT_NO_SPACE) /* once more, when there may be room */
        return;
    if (err && err != SHUNT_TOPIC_EXISTS && err != SHUNT_GROUP_EXISTS) {
        p->deleted = p->gone = true; /* its topic went before it came */
        return;
    }
    p->confirmed = true;
    struct history_event *e = sim_event(s, HISTORY_GROUP);
    e->topic = p->topic_name;
    e->group = p->group_name;
    e->max_attempts = s->plan.max_attempts;
    e->ordered = s->plan.ordered;
    e->holds = s->plan.on_dead != ON_DEAD_CONTINUE;
    e->runs = s->plan.key_run > 1;
    e->spares = s->plan.breaker;
}

/* ---- one request about a place ---- */

struct asked_request *operator_ask(struct raw *r, struct mpack_buffer *frame, size_t *offset, unsigned op,
                                   uint32_t fields, unsigned place)
{
    const struct place *p = &r->client.sim->places[place];
    struct asked_request *a = raw_ask(r, frame, offset, op, fields);
    if (!a)
        return NULL;
    a->place = place + 1;
    mpack_write_cstr(frame, p->topic);
    if (op != OP_TOPIC_DELETE && op != OP_TOPIC_SHOW && op != OP_GROUP_LIST)
        mpack_write_cstr(frame, p->group);
    return a;
}

void operator_note(struct sim *s, enum history_kind kind, const struct place *p)
{
    struct history_event *e = sim_event(s, kind);
    e->topic = p->topic_name;
    e->group = p->group_name;
}

static void simple(struct raw *r, unsigned op, unsigned place)
{
    struct sim *s = r->client.sim;
    struct mpack_buffer frame;
    size_t offset;
    bool one_name = op == OP_TOPIC_SHOW || op == OP_GROUP_LIST || op == OP_TOPIC_DELETE;
    if (!operator_ask(r, &frame, &offset, op, one_name ? 1 : 2, place))
        return;
    if (op == OP_GROUP_PAUSE)
        s->places[place].paused = true;
    if (op == OP_TOPIC_PURGE || op == OP_GROUP_DELETE)
        operator_note(s, HISTORY_REMOVE, &s->places[place]);
    if (op == OP_GROUP_DELETE)
        s->places[place].deleted = true;
    for (unsigned i = 0; op == OP_TOPIC_DELETE && i < s->places_count; i++) {
        if (s->places[i].topic_name != s->places[place].topic_name)
            continue;
        s->places[i].deleted = true;
        operator_note(s, HISTORY_REMOVE, &s->places[i]);
    }
    raw_send(r, &frame, offset);
}

static void look(struct raw *r, unsigned place)
{
    static const unsigned ops[] = {OP_PEEK, OP_DLQ_LIST};
    struct sim *s = r->client.sim;
    struct mpack_buffer frame;
    size_t offset;
    unsigned op = ops[dice_below(&s->dice, 2)];
    if (!operator_ask(r, &frame, &offset, op, op == OP_PEEK ? 5 : 4, place))
        return;
    mpack_write_uint(&frame, dice_below(&s->dice, 20));
    mpack_write_uint(&frame, dice_below(&s->dice, 20));
    if (op == OP_PEEK)
        mpack_write_bool(&frame, dice_once_in(&s->dice, 2));
    raw_send(r, &frame, offset);
}

static void update(struct raw *r, unsigned place)
{
    struct sim *s = r->client.sim;
    struct mpack_buffer frame;
    size_t offset;
    if (!operator_ask(r, &frame, &offset, OP_GROUP_UPDATE, 3, place))
        return;
    mpack_write_map(&frame, 1);
    setting(&frame, "max_attempts", s->plan.max_attempts + (int64_t)dice_below(&s->dice, 3));
    raw_send(r, &frame, offset);
}

/* ---- what it does when ---- */

static void administer(struct raw *r, unsigned place)
{
    struct sim *s = r->client.sim;
    static const unsigned looks[] = {OP_TOPIC_SHOW, OP_GROUP_SHOW, OP_GROUP_LIST};
    switch (dice_below(&s->dice, 40)) {
    case 0:
        if (s->places_count < GROUPS_MAX && !s->places[s->places_count - 1].deleted &&
            s->places[s->places_count - 1].confirmed) {
            char name[32];
            (void)snprintf(name, sizeof name, "late%u", s->places_count);
            char topic[64];
            memcpy(topic, s->places[s->places_count - 1].topic, sizeof topic);
            struct place *p = add_place(s, topic, name);
            p->from_now = dice_once_in(&s->dice, 2);
        }
        return;
    case 1:
        simple(r, OP_TOPIC_PURGE, place);
        return;
    case 2:
        simple(r, dice_once_in(&s->dice, 2) ? OP_GROUP_DELETE : OP_TOPIC_DELETE, place);
        return;
    case 3:
        operator_redrive(r, OP_DLQ_PURGE, place);
        return;
    case 4:
    case 5:
        update(r, place);
        return;
    case 6:
    case 7:
    case 8:
        simple(r, s->places[place].paused ? OP_GROUP_RESUME : OP_GROUP_PAUSE, place);
        return;
    case 9:
        simple(r, looks[dice_below(&s->dice, 3)], place);
        return;
    default:
        look(r, place);
    }
}

/* At the end: everything goes on, and half the time what is dead gets another chance. */
static void finish(struct raw *r)
{
    struct sim *s = r->client.sim;
    uint64_t paused = server_paused_job(s);
    if (r->asked_count)
        return;
    if (paused)
        operator_about_job(r, OP_JOB_RESUME, paused);
    for (unsigned i = 0; i < s->places_count; i++) {
        const struct place *p = &s->places[i];
        /* A pause from a connection that broke may come after the end of it that was answered on the next. */
        if (!p->deleted && p->confirmed && (p->paused || dice_once_in(&s->dice, 100)))
            simple(r, OP_GROUP_RESUME, i);
        if (p->deleted && !p->gone)
            simple(r, OP_GROUP_DELETE, i);
        bool blocked = r->redriven && server_is_blocked(s, p->topic, p->group) && dice_once_in(&s->dice, 20);
        if (p->confirmed && !p->deleted && (blocked || (!r->redriven && dice_once_in(&s->dice, 2))))
            operator_redrive(r, blocked && dice_once_in(&s->dice, 2) ? OP_DLQ_PURGE : OP_DLQ_REDRIVE, i);
        /* What a redrive waits for may wait for letters that another one would have to bring back. */
        uint64_t waiting = blocked ? server_waiting_job(s) : 0;
        if (waiting && dice_once_in(&s->dice, 3))
            operator_about_job(r, OP_JOB_CANCEL, waiting);
    }
    r->redriven = true;
}

void operator_act(struct raw *r)
{
    struct sim *s = r->client.sim;
    unsigned topics = 0;
    if (!r->greeted)
        return;
    for (unsigned i = 0; i < s->places_count; i++) {
        topics += is_first_of_topic(s, i);
        if (!s->places[i].confirmed && !s->places[i].deleted && (!s->places[i].asked || !r->asked_count))
            make(r, i);
    }
    if (topics < s->plan.topics && s->places_count < GROUPS_MAX && !s->draining)
        think_of_topic(s);
    if (s->draining) {
        finish(r);
        return;
    }
    const struct place *p = dice_once_in(&s->dice, 5) ? sim_place(s) : NULL;
    if (!p)
        return;
    unsigned place = (unsigned)(p - s->places);
    if (dice_once_in(&s->dice, 6))
        operator_redrive(r, OP_DLQ_REDRIVE, place);
    else if (dice_once_in(&s->dice, 12))
        operator_change_job(r);
    else if (s->plan.breaker && dice_once_in(&s->dice, 12))
        simple(r, OP_BREAKER_RESET, place);
    else if (s->plan.rules && dice_once_in(&s->dice, 3))
        operator_change_rule(r, place);
    else if (s->plan.admin)
        administer(r, place);
}

bool operator_idle(const struct raw *r)
{
    const struct sim *s = r->client.sim;
    for (unsigned i = 0; i < s->places_count; i++) {
        const struct place *p = &s->places[i];
        if (p->deleted ? !p->gone : !p->confirmed || p->paused)
            return false;
    }
    return r->redriven;
}

/* After a deletion, or a last group that could not be. */
static void deleted(struct raw *r, const struct asked_request *a, int err)
{
    struct sim *s = r->client.sim;
    struct place *place = &s->places[a->place - 1];
    for (unsigned i = 0; i < s->places_count; i++) {
        struct place *p = &s->places[i];
        if (p != place && (a->op == OP_GROUP_DELETE || p->topic_name != place->topic_name))
            continue;
        if (err == SHUNT_LAST_GROUP)
            p->deleted = false;
        else
            p->gone = true;
    }
}

void operator_answered(struct raw *r, const struct asked_request *a, int err)
{
    struct sim *s = r->client.sim;
    if (!a->place || (err == SHUNT_DEADLINE_EXCEEDED && a->limited))
        return;
    unsigned place = a->place - 1;
    bool gone = err == SHUNT_UNKNOWN_TOPIC || err == SHUNT_UNKNOWN_GROUP;
    if (a->op == OP_TOPIC_CREATE || a->op == OP_GROUP_CREATE)
        made(r, place, err);
    else if (a->op == OP_TOPIC_DELETE || a->op == OP_GROUP_DELETE)
        deleted(r, a, err);
    else if (a->op == OP_GROUP_RESUME && (!err || gone))
        s->places[place].paused = false;
    else if (err == SHUNT_TOO_MANY && (a->op == OP_DLQ_REDRIVE || a->op == OP_DLQ_PURGE))
        return; /* another job is at these letters */
    else if ((a->op == OP_RULE_SET || a->op == OP_RULE_DELETE) &&
             (err == SHUNT_NOT_FOUND || err == SHUNT_UNKNOWN_TOPIC))
        return; /* there is no such rule, or the topic that it moves to has gone */
    else if (err && !(gone && s->places[place].deleted))
        sim_fail(s, "operation %u of the operator was refused: %s", a->op, err_name(err));
}
