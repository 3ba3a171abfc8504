/* model_cell: the states that one message of one group may be in, and what events make of them: the truth
 * table. */
#include "tests/sim/model.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

struct model_cell *model_cell(struct model *m, struct model_group *g, uint64_t seq)
{
    (void)m;
    return seq < g->cells_count && g->cells[seq].mine ? &g->cells[seq] : NULL;
}

struct model_cell *model_cell_add(struct model *m, struct model_group *g, uint64_t seq)
{
    if (seq >= g->cells_count) {
        g->cells = model_grow(g->cells, &g->cells_capacity, seq + 1, sizeof *g->cells);
        memset(g->cells + g->cells_count, 0, (seq + 1 - g->cells_count) * sizeof *g->cells);
        g->cells_count = seq + 1;
    }
    struct model_cell *c = &g->cells[seq];
    *c = (struct model_cell){.mine = true};
    m->live = model_grow(m->live, &m->live_capacity, m->live_count + 1, sizeof *m->live);
    m->live[m->live_count++] = (struct model_place){(unsigned)(g - m->groups), seq};
    m->figures.cells++;
    g->published++;
    return c;
}

/* When those who held it will have had their time to come back is known once the broker is up. */
#define UNTIL_IT_IS_UP (INT64_MAX - 1)

/* The recovery goes in steps, and an earlier start may have made some of them. */
static void set_wait(const struct model *m, const struct model_group *g, struct model_is *is)
{
    int64_t wait_ms = m->sim->plan.resume_wait_ms;
    wait_ms = wait_ms < g->lease ? wait_ms : g->lease;
    is->state = MODEL_DELAYED;
    is->due_lo = m->down_wall + wait_ms;
    is->due_hi = m->up_wall + wait_ms;
    if (is->expires > 0 && is->expires < is->due_hi) /* no time to live passes meanwhile */
        is->expires = is->due_lo == is->due_hi ? is->due_hi : MODEL_UNKNOWN_TIME;
}

void model_waits(struct model *m, struct model_group *g, uint64_t seq)
{
    struct model_cell *c = &g->cells[seq];
    unsigned count = c->set ? m->sets[c->set - 1].count : 1;
    struct model_is *is = c->set ? m->sets[c->set - 1].is : &c->now;
    for (unsigned i = 0; i < count; i++) {
        if (is[i].state == MODEL_DELAYED && is[i].due_hi == UNTIL_IT_IS_UP)
            set_wait(m, g, &is[i]);
    }
}

void model_newborn(struct model *m, struct model_group *g, struct model_cell *c)
{
    const int64_t at = g->is_dlq ? 0 : MODEL_UNKNOWN_TIME;
    const struct model_is ready = {.state = MODEL_READY, .expires = at, .deadline = at, .ttl_ends = at};
    struct model_is delayed = ready, held = ready;
    c->now = ready, c->set = 0;
    delayed.state = MODEL_DELAYED;
    delayed.due_lo = m->wall + 1;
    delayed.due_hi = m->wall + MODEL_DELAY_MS_MAX;
    if (!g->is_dlq)
        model_also(m, c, &delayed);
    held.token = held.deliveries = 1; /* before the broker ended */
    if (m->sim->plan.resume_wait_ms)
        set_wait(m, g, &held);
    if (m->dying)
        model_also(m, c, &held);
    (void)model_event(m, g, c, EVENT_TTL, 0, false); /* its deadline may have passed before it came, … */
    if (model_may_follow(m, g, (uint64_t)(c - g->cells)))
        (void)model_event(m, g, c, EVENT_FOLLOWED, 0, false); /* … or one before it have died */
}

/* ---- events ---- */

/* Away, or dead, by policy. */
static void end_by_policy(struct model *m, const struct model_group *g, struct model_set *to,
                          struct model_is is, enum dead_reason reason)
{
    if (g->when_expired & MODEL_KEEP)
        model_die(m, g, to, is, reason);
    is.state = MODEL_DONE, is.how = MODEL_DISCARDED;
    if (g->when_expired & MODEL_DISCARD)
        model_put(m, to, &is);
}

/* The time to live or the deadline has passed. */
static void expire(struct model *m, const struct model_group *g, struct model_set *to, struct model_is is)
{
    bool late = is.deadline > 0 && is.deadline <= m->wall;
    if (!late)
        end_by_policy(m, g, to, is, DEAD_TTL_EXPIRED);
    if (late || is.deadline == MODEL_UNKNOWN_TIME)
        end_by_policy(m, g, to, is, DEAD_DEADLINE_EXCEEDED);
}

static void wait(struct model_is *is, int64_t due)
{
    is->state = MODEL_DELAYED;
    is->due_lo = is->due_hi = due;
}

/* Exponential with full jitter: any of it may be. */
static void back_off(const struct model *m, const struct model_group *g, struct model_is *is)
{
    int64_t bound = g->backoff_min;
    for (uint32_t i = 1; i < is->attempts && bound < g->backoff_max; i++)
        bound *= 2;
    is->state = MODEL_DELAYED;
    is->due_lo = m->wall + 1;
    is->due_hi = m->wall + (bound < g->backoff_max ? bound : g->backoff_max);
}

static void try_later(struct model *m, const struct model_group *g, struct model_set *to, struct model_is is,
                      int64_t delay)
{
    back_off(m, g, &is);
    if (delay > 0)
        wait(&is, m->wall + delay);
    else if (delay == 0)
        is.state = MODEL_READY;
    model_put(m, to, &is);
}

/* One more failed attempt; at the limit that is the last. With a breaker it may not be charged. */
static void charge(struct model *m, const struct model_group *g, struct model_set *to, struct model_is is,
                   int64_t delay)
{
    if (!g->is_dlq && g->breaker.on) {
        bool known = g->breaker.early == MARK_NONE;
        is.judged = known ? MODEL_SPARED : MODEL_EITHER;
        try_later(m, g, to, is, delay);
        if (g->breaker.early == MARK_YES)
            return;
        is.judged = known ? MODEL_CHARGED : MODEL_EITHER;
    }
    is.attempts++;
    if (!g->is_dlq && is.attempts >= g->attempts_lo) {
        model_die(m, g, to, is, DEAD_MAX_ATTEMPTS);
        if (is.attempts >= g->attempts_hi)
            return;
    }
    try_later(m, g, to, is, delay);
}

/* Its holder has no time for it: it goes as if nobody had taken it before its deadline; without one it has failed. */
static void give_up(struct model *m, const struct model_group *g, struct model_set *to, struct model_is is)
{
    if (is.deadline <= 0)
        charge(m, g, to, is, -1);
    if (is.deadline)
        end_by_policy(m, g, to, is, DEAD_DEADLINE_EXCEEDED);
}

static void reject(struct model *m, const struct model_group *g, struct model_set *to, struct model_is is)
{
    is.attempts++;
    if (!g->is_dlq) {
        model_die(m, g, to, is, DEAD_REJECTED);
        return;
    }
    back_off(m, g, &is);
    model_put(m, to, &is);
}

void model_revive(const struct model *m, struct model_is *is, const struct model_message *message)
{
    is->state = MODEL_READY;
    is->generation++;
    is->attempts = is->deliveries = 0;
    if (is->expires > 0) {
        is->expires = is->left                      ? m->wall + is->left
                      : message && message->ttl > 0 ? m->wall + message->ttl
                                                    : MODEL_UNKNOWN_TIME;
    }
    is->deadline = is->ttl_ends = 0;
    is->left = is->due_lo = is->due_hi = 0;
    is->reason = 0;
    is->rule = 0;
    is->muted = false;
}

/* At once, or after a random time. */
static void back(struct model *m, const struct model_group *g, struct model_set *to, struct model_is is)
{
    model_put(m, to, &is);
    if (!g->spread)
        return;
    is.state = MODEL_DELAYED;
    is.due_lo = m->wall;
    is.due_hi = m->wall + g->spread;
    model_put(m, to, &is);
}

static void redrive(struct model *m, const struct model_group *g, struct model_set *to, struct model_is is,
                    const struct model_message *message)
{
    if (g->is_dlq) {
        is.state = MODEL_DONE;
        is.how = MODEL_REDRIVEN;
        model_put(m, to, &is);
        return;
    }
    int64_t deadline = is.deadline;
    model_revive(m, &is, message), is.ruled = 0;
    back(m, g, to, is);
    if (!g->keeps || !deadline)
        return;
    is.ttl_ends = is.expires;
    is.deadline = deadline;
    if (deadline > 0 && is.expires >= 0 && (!is.expires || deadline < is.expires))
        is.expires = deadline;
    else if (deadline < 0 || is.expires < 0)
        is.expires = MODEL_UNKNOWN_TIME;
    back(m, g, to, is);
}

/* What ends a lease. */
static bool from_flight(struct model *m, const struct model_group *g, enum model_event event, int64_t delay,
                        struct model_is is, struct model_set *to)
{
    if (is.state != MODEL_FLIGHT)
        return false;
    is.state = MODEL_READY;
    if (event == EVENT_RESTARTED) {
        is.state = MODEL_DELAYED;
        is.due_lo = is.due_hi = UNTIL_IT_IS_UP;
    }
    if (event == EVENT_CLOSED) /* forgiven once */
        event = is.suspect ? EVENT_DISCONNECTED : EVENT_SUSPECTED;
    if (event == EVENT_NACKED || event == EVENT_REJECTED || event == EVENT_LATE)
        is.suspect = false;
    is.suspect |= event == EVENT_DISCONNECTED || event == EVENT_SUSPECTED;
    if (event == EVENT_ACKED) {
        is.state = MODEL_DONE;
        is.how = MODEL_ACKED;
    }
    if (event == EVENT_NACKED || event == EVENT_LEASE_OVER || event == EVENT_DISCONNECTED)
        charge(m, g, to, is, delay);
    else if (event == EVENT_REJECTED)
        reject(m, g, to, is);
    else if (event == EVENT_LATE)
        give_up(m, g, to, is);
    else
        model_put(m, to, &is);
    return true;
}

static bool due(struct model *m, struct model_is is, struct model_set *to)
{
    if (is.state != MODEL_DELAYED || is.due_lo > m->wall)
        return false;
    if (is.due_hi > m->wall)
        model_put(m, to, &is); /* it may be later */
    is.state = MODEL_READY;
    model_put(m, to, &is);
    return true;
}

/* What happens to one that nobody holds. */
static bool from_rest(struct model *m, const struct model_group *g, const struct model_message *message,
                      enum model_event event, struct model_is is, struct model_set *to)
{
    if (event == EVENT_RULED && !g->is_dlq)
        return model_rule_acts(m, g, to, is, message);
    bool waits = is.state == MODEL_READY || is.state == MODEL_DELAYED;
    bool expired = is.expires == MODEL_UNKNOWN_TIME || (is.expires && is.expires <= m->wall);
    bool late = is.deadline > 0 && is.deadline <= m->wall;
    bool can = event == EVENT_TTL         ? waits && (expired || late)
               : event == EVENT_PURGED    ? waits
               : event == EVENT_CORRUPT   ? waits
               : event == EVENT_FOLLOWED  ? is.state == MODEL_READY
               : event == EVENT_WORN_OUT  ? is.state == MODEL_READY && is.attempts >= g->attempts_lo
               : event == EVENT_DELIVERED ? is.state == MODEL_READY
               : event == EVENT_TAKEN_UP  ? waits && !is.suspect && !expired && is.deliveries
               : g->is_dlq                ? is.state != MODEL_DONE
                                          : is.state == MODEL_DEAD;
    if (!can)
        return false;
    if (event == EVENT_RULED) {
        is.state = MODEL_DONE;
        is.how = MODEL_DISCARDED;
        model_put(m, to, &is);
        is.how = MODEL_REDRIVEN;
        model_put(m, to, &is);
        return true;
    }
    if (event == EVENT_REDRIVEN) {
        redrive(m, g, to, is, message);
        return true;
    }
    if (event == EVENT_TTL) {
        expire(m, g, to, is);
        return true;
    }
    if (event == EVENT_CORRUPT && g->is_dlq) {
        wait(&is, m->wall + g->backoff_max);
    } else if (event == EVENT_CORRUPT || event == EVENT_WORN_OUT || event == EVENT_FOLLOWED) {
        if (event == EVENT_CORRUPT && is.deadline) /* what it said of its times is lost with it */
            is.deadline = is.expires = MODEL_UNKNOWN_TIME;
        model_die(m, g, to, is,
                  event == EVENT_CORRUPT    ? DEAD_CORRUPT
                  : event == EVENT_WORN_OUT ? DEAD_MAX_ATTEMPTS
                                            : DEAD_PREDECESSOR_DEAD);
        return true;
    } else if (event == EVENT_DELIVERED || event == EVENT_TAKEN_UP) {
        is.state = MODEL_FLIGHT;
        is.how = 0;
        is.deliveries++;
        is.token++;
        is.due_lo = is.due_hi = 0;
    } else {
        is.state = MODEL_DONE;
    }
    if (is.state == MODEL_DONE)
        is.how = event == EVENT_SETTLED ? MODEL_ACKED : MODEL_PURGED;
    model_put(m, to, &is);
    return true;
}

/* As if it had been taken back from where it is in flight now. */
static void add_recalled(struct model *m, const struct model_cell *c, struct model_set *to)
{
    unsigned count;
    const struct model_is *is = model_states(m, c, &count);
    for (unsigned i = 0; i < count; i++) {
        struct model_is back = is[i];
        back.state = MODEL_READY;
        if (is[i].state == MODEL_FLIGHT)
            model_put(m, to, &back);
    }
}

/* Ends that come with those of others, in an order that is not known. */
static bool is_of_many(enum model_event event)
{
    return event == EVENT_RELEASED || event == EVENT_LEASE_OVER || event == EVENT_DISCONNECTED ||
           event == EVENT_SUSPECTED || event == EVENT_CLOSED;
}

bool model_event(struct model *m, struct model_group *g, struct model_cell *c, enum model_event event,
                 int64_t delay, bool sure)
{
    struct model_set to; /* large, and only its first ones count */
    unsigned count;
    bool any = false;
    to.count = 0;
    if (!c->set && (event <= EVENT_CLOSED) != (c->now.state == MODEL_FLIGHT) && !g->is_dlq)
        return false; /* the one state that it is in says so */
    if (!c->set && event == EVENT_TTL && !c->now.expires)
        return false;
    if (!c->set && event == EVENT_DUE && c->now.state != MODEL_DELAYED)
        return false;
    bool may_be_first = is_of_many(event) && model_may_be_recalled(m, g, (uint64_t)(c - g->cells));
    struct model_group *origin = g->is_dlq ? &m->groups[g->other] : g;
    const struct model_message *message =
        model_message(m, origin, g->is_dlq ? c->link : (uint64_t)(c - g->cells));
    const struct model_is *is = model_states(m, c, &count);
    g->breaker.early = model_breaker_early(g, c);
    for (unsigned i = 0; i < count; i++) {
        bool did = event <= EVENT_CLOSED ? from_flight(m, g, event, delay, is[i], &to)
                   : event == EVENT_DUE  ? due(m, is[i], &to)
                                         : from_rest(m, g, message, event, is[i], &to);
        any |= did;
        if (!did || !sure)
            model_put(m, &to, &is[i]);
    }
    if (any && may_be_first) /* one before it may have ended first, and taken this one back */
        add_recalled(m, c, &to);
    if (any) {
        model_breaker_told(m, g, c, event);
        (void)model_settle(m, c, &to);
    }
    bool fails =
        event <= EVENT_CLOSED && event != EVENT_ACKED && event != EVENT_RECALLED && event != EVENT_RESTARTED;
    bool at_once = sure && !is_of_many(event);    /* else an answer may have come before */
    if (any && (fails || event == EVENT_CORRUPT)) /* found as it is taken up, with others */
        model_recall(m, g, (uint64_t)(c - g->cells), at_once && fails);
    return any;
}

bool model_resolve(struct model *m, struct model_group *g, struct model_cell *c, enum model_event event,
                   int64_t delay, bool sure)
{
    bool did = model_event(m, g, c, event, delay, sure);
    struct model_cell *origin =
        did && g->is_dlq && event == EVENT_ACKED ? model_cell(m, &m->groups[g->other], c->link) : NULL;
    if (origin)
        (void)model_event(m, &m->groups[g->other], origin, EVENT_SETTLED, 0, sure);
    return did;
}
