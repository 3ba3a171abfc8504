/* model: its arrays, and the order in which it takes a turn. */
#include "tests/sim/model.h"
#include "base/array.h"
#include "broker/core/state.h"
#include "proto/wire.h"
#include "tests/sim/server.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void model_fail(struct model *m, const struct model_group *g, uint64_t seq, const char *what)
{
    if (!g)
        sim_fail(m->sim, "model: %s", what);
    const struct model_cell *c = seq < g->cells_count ? &g->cells[seq] : NULL;
    static const char *const names[] = {"ready", "in flight", "delayed", "dead", "done"};
    char text[1500] = "";
    size_t size = 0;
    unsigned count = 0;
    const struct model_is *is = c ? model_states(m, c, &count) : NULL;
    for (unsigned i = 0; is && i < count && size < sizeof text - 200; i++) {
        size += (size_t)snprintf(text + size, sizeof text - size,
                                 "\n  %s, attempts %u, deliveries %u, generation %u, token %llu, ruled %u, "
                                 "setting %u, reason %u%s%s%s",
                                 names[is[i].state], is[i].attempts, is[i].deliveries, is[i].generation,
                                 (unsigned long long)is[i].token, is[i].ruled, is[i].rule, is[i].reason,
                                 is[i].suspect ? ", suspect" : "", is[i].muted ? ", muted" : "",
                                 is[i].state == MODEL_DELAYED ? ", due later" : "");
    }
    sim_fail(m->sim, "model: %s %s %llu at %lld ms: %s; it may be%s%s", g->topic, g->name,
             (unsigned long long)seq, (long long)m->mono, what, text, c && c->mine ? "" : " nothing");
}

void *model_grow(void *array, size_t *capacity, size_t wanted, size_t each)
{
    if (wanted > *capacity && !array_grow(&array, each, capacity, wanted))
        abort();
    return array;
}

/* ---- finding ---- */

struct model_conn *model_conn(struct model *m, uint32_t number)
{
    if (number >= MODEL_CONNS_MAX)
        model_fail(m, NULL, 0, "a connection too many");
    if (number >= m->conns_count)
        m->conns_count = number + 1;
    return &m->conns[number];
}

struct model_sub *model_sub(struct model_conn *c, uint64_t id)
{
    for (unsigned i = 0; i < c->subs_count; i++) {
        if (c->subs[i].id == id && c->subs[i].stands)
            return &c->subs[i];
    }
    return NULL;
}

static bool is_text(const char *text, struct slice s)
{
    return slice_is(s, text);
}

struct model_group *model_group(struct model *m, struct slice topic, struct slice name)
{
    for (unsigned i = 0; i < m->groups_count; i++) {
        struct model_group *g = &m->groups[i];
        if (is_text(g->topic, topic) && is_text(g->name, name))
            return g;
    }
    return NULL;
}

static unsigned first_of_topic(const struct model *m, const char *topic)
{
    unsigned i = 0;
    while (i < m->groups_count && strcmp(m->groups[i].topic, topic) != 0)
        i++;
    return i;
}

/* With its DLQ, which the group's own settings say nothing of. */
struct model_group *model_group_add(struct model *m, struct slice topic, struct slice name)
{
    if (m->groups_count + 2 > MODEL_GROUPS_MAX || topic.size > 64 || name.size >= sizeof m->groups[0].name)
        model_fail(m, NULL, 0, "a group too many");
    struct model_group *g = &m->groups[m->groups_count], *dlq = g + 1;
    *g = *dlq = (struct model_group){
        .fresh = true, .attempts_lo = 5, .attempts_hi = 5, .lease = 30000, .rulings_count = 1};
    g->backoff_min = dlq->backoff_min = 1000;
    g->backoff_max = dlq->backoff_max = 300000;
    (void)snprintf(g->topic, sizeof g->topic, "%.*s", (int)topic.size, (const char *)topic.data);
    (void)snprintf(g->name, sizeof g->name, "%.*s", (int)name.size, (const char *)name.data);
    (void)snprintf(dlq->topic, sizeof dlq->topic, "dlq:%.*s:%.*s", (int)topic.size, (const char *)topic.data,
                   (int)name.size, (const char *)name.data);
    (void)snprintf(dlq->name, sizeof dlq->name, "default");
    g->messages = first_of_topic(m, g->topic);
    dlq->is_dlq = true;
    dlq->fresh = false;
    dlq->messages = m->groups_count + 1;
    g->other = m->groups_count + 1;
    dlq->other = m->groups_count;
    m->groups_count += 2;
    return g;
}

/* ---- what is told ---- */

void model_begin(struct sim *s)
{
    struct model *m = calloc(1, sizeof *m);
    if (!m)
        abort();
    m->sim = s;
    m->conns = calloc(MODEL_CONNS_MAX, sizeof *m->conns);
    if (!m->conns)
        abort();
    s->model = m;
}

void model_done(struct sim *s)
{
    struct model *m = s->model;
    if (!m)
        return;
    for (uint32_t i = 0; i < m->conns_count; i++) {
        while (m->conns[i].frames_count)
            model_frame_drop(&m->conns[i]);
        free(m->conns[i].frames);
        free(m->conns[i].out);
    }
    for (unsigned i = 0; i < m->groups_count; i++) {
        free(m->groups[i].cells);
        free(m->groups[i].list);
        free(m->groups[i].breaker.failed);
    }
    free(m->conns);
    free(m->live);
    free(m->sets);
    free(m->settings);
    free(m);
    s->model = NULL;
}

void model_came(struct sim *s, uint32_t conn, const void *frames, size_t size)
{
    if (!s->model)
        return;
    struct model_conn *c = model_conn(s->model, conn);
    c->came = true;
    model_read(s->model, c, frames, size);
}

void model_lost(struct sim *s, uint32_t conn, bool closed)
{
    if (!s->model)
        return;
    struct model_conn *c = model_conn(s->model, conn);
    c->lost = true;
    c->closed = closed;
}

void model_ended(struct sim *s, uint32_t conn)
{
    if (!s->model)
        return;
    struct model_conn *c = model_conn(s->model, conn);
    c->ended = true;
    c->ended_asked = c->frames_count > 0;
}

void model_sent(struct sim *s, uint32_t conn, const void *bytes, size_t size)
{
    if (!s->model || !size)
        return;
    struct model_conn *c = model_conn(s->model, conn);
    c->out = model_grow(c->out, &c->out_capacity, c->out_size + size, 1);
    memcpy(c->out + c->out_size, bytes, size);
    c->out_size += size;
}

void model_damaged(struct sim *s, const char *topic, uint64_t seq)
{
    struct model *m = s->model;
    if (!m)
        return;
    unsigned first = first_of_topic(m, topic);
    struct model_message *message = first < m->groups_count ? model_message(m, &m->groups[first], seq) : NULL;
    if (message)
        message->damaged = true;
}

/* ---- turns ---- */

/* Wall time follows the machine's by at most 1/64 of the time that passes, and never goes back. */
void model_turn(struct sim *s, int64_t wall_ms, int64_t mono_ms)
{
    struct model *m = s->model;
    if (!m)
        return;
    int64_t passed = mono_ms - m->mono, told = wall_ms - m->wall;
    if (m->turned && (told < passed - passed / 63 - 2 || told > passed + passed / 63 + 2))
        model_fail(m, NULL, 0, "wall time does not pass as it must");
    if (wall_ms > m->wall || !m->turned) /* a time that never became durable does not count */
        m->wall = wall_ms;
    m->mono = mono_ms;
    if (!m->steps)
        m->began = mono_ms;
    m->turned = true;
    m->dying = false;
    m->steps++;
}

static bool asks_admin(const struct model_conn *c)
{
    for (size_t i = 0; i < c->frames_count; i++) {
        if (model_is_admin(c->frames[c->frames_first + i].op))
            return true;
    }
    return false;
}

/* The end of a client's sending side: what was under way then. */
static void note_end(struct model *m, uint32_t number)
{
    bool holding = false;
    for (size_t i = 0; i < m->live_count && !holding; i++) {
        const struct model_cell *c = &m->groups[m->live[i].group].cells[m->live[i].seq];
        holding = c->conn == number && model_may_be(m, c, MODEL_FLIGHT);
    }
    m->figures.ends_holding += holding;
    m->figures.ends_asked += m->conns[number].ended_asked;
}

/* What was not answered: what never is, and requests of a connection that is lost. */
static void leave_unanswered(struct model *m, uint32_t number, bool handled)
{
    struct model_conn *c = &m->conns[number];
    bool over = c->ended && !c->lost && !c->closing;
    if (over && m->sim->conns[number - 1]->end_when_sent)
        handled = true;
    else if (over && handled)
        sim_fail(m->sim, "model: connection %u: its client has ended, and it was not closed", number);
    over &= handled;
    if (handled && !c->lost && !c->closing)
        model_silent(m, number, true);
    for (size_t i = 0; i < c->frames_count && !c->closing; i++) {
        const struct model_frame *f = &c->frames[c->frames_first + i];
        if (f->op == OP_STARTED) {
            model_marks(m, number, f, MARK_MAYBE);
        } else if (c->lost || !f->id) {
            model_maybe(m, number, f);
        } else if (handled) {
            sim_fail(m->sim, "model: connection %u: request %" PRIu64 " (operation %u) was not answered",
                     number, f->id, f->op);
        }
    }
    if (over)
        note_end(m, number);
    if (c->lost || over)
        model_conn_ends(m, number, handled);
    c->closing |= over;
    while (handled && c->frames_count)
        model_frame_drop(c);
    c->gone |= c->lost && handled;
}

bool model_is_handled(const struct sim *s, uint32_t number)
{
    const struct conn *c = s->conns[number - 1];
    const struct session *session = c->link ? c->link->session : NULL;
    return !s->server->engine->backlog.first && !(session && session->held.first);
}

void model_turned(struct sim *s, struct engine *e, bool all)
{
    struct model *m = s->model;
    if (!m)
        return;
    m->left = s->mono_us / 1000;
    model_pass_time(m);
    for (uint32_t i = 1; i < m->conns_count; i++)
        model_heard(m, i, model_is_handled(s, i));
    m->admin_lost = false;
    for (uint32_t i = 1; i < m->conns_count; i++) {
        m->conns[i].admin = asks_admin(&m->conns[i]);
        m->admin_lost |= m->conns[i].admin && m->conns[i].lost && !m->conns[i].gone;
    }
    for (unsigned admin = 2; admin-- > 0;) {
        for (uint32_t i = 1; i < m->conns_count; i++) {
            if (!m->conns[i].gone && m->conns[i].admin == admin)
                model_answers(m, i);
        }
    }
    for (uint32_t i = 1; i < m->conns_count; i++) {
        if (!m->conns[i].gone)
            leave_unanswered(m, i, model_is_handled(s, i));
    }
    model_end_leases(m);
    model_rules(m); /* an extension beside it may have been granted first */
    model_jobs(m);
    for (uint32_t i = 1; i < m->conns_count; i++) {
        model_deliveries(m, i);
        m->conns[i].out_size = 0;
    }
    if (m->steps > 1) /* a letter came, was handed out, and its rule took it */
        model_rules(m);
    model_handouts(m);
    model_walk(m, e, all);
    m->steps = 0;
}

/* ---- the end of an incarnation ---- */

/* Everything that came in may have had its effect, all of it or nothing. */
void model_died(struct sim *s)
{
    struct model *m = s->model;
    if (!m || !m->turned)
        return;
    m->dying = true;
    model_pass_time(m);
    for (uint32_t i = 1; i < m->conns_count; i++) {
        struct model_conn *c = &m->conns[i];
        for (size_t k = 0; !c->gone && k < c->frames_count; k++) {
            const struct model_frame *f = &c->frames[c->frames_first + k];
            if (f->op == OP_STARTED)
                model_marks(m, i, f, MARK_MAYBE);
            else
                model_maybe(m, i, f);
        }
        if ((c->lost || (c->ended && !c->closing)) && !c->gone)
            model_conn_ends(m, i, false);
    }
    model_end_leases(m);
    model_rules(m);
    model_jobs(m);
    model_handouts(m);
    for (size_t i = 0; i < m->live_count; i++) {
        struct model_group *g = &m->groups[m->live[i].group];
        (void)model_event(m, g, &g->cells[m->live[i].seq], EVENT_DELIVERED, 0, false);
    }
}

void model_restart(struct sim *s)
{
    struct model *m = s->model;
    if (!m)
        return;
    for (size_t i = 0; i < m->live_count; i++) {
        struct model_group *g = &m->groups[m->live[i].group];
        struct model_cell *c = &g->cells[m->live[i].seq];
        (void)model_event(m, g, c, s->plan.resume_wait_ms ? EVENT_RESTARTED : EVENT_RELEASED, 0, true);
        c->started = MARK_NONE;
        c->conn = 0;
    }
    for (uint32_t i = 1; i < m->conns_count; i++) {
        while (m->conns[i].frames_count)
            model_frame_drop(&m->conns[i]);
        m->conns[i].gone = true;
        m->conns[i].out_size = 0;
    }
    m->turned = false;
    m->steps = 0;
}

void model_starting(struct sim *s)
{
    struct model *m = s->model;
    if (!m || m->starting)
        return;
    m->starting = true;
    m->down_wall = sim_wall_us(s) / 1000;
}

/* The recovery went in steps, and an earlier start may have made some of them. */
void model_started(struct sim *s, struct engine *e)
{
    struct model *m = s->model;
    if (m) {
        m->starting = false;
        m->up_wall = ledger_time(e->ledger);
    }
    for (size_t i = 0; m && i < m->live_count; i++)
        model_waits(m, &m->groups[m->live[i].group], m->live[i].seq);
    if (s->model)
        model_walk(s->model, e, true);
    if (s->model)
        s->model->dying = false;
}

void model_end(struct sim *s, struct engine *e)
{
    struct model *m = s->model;
    if (!m)
        return;
    model_walk(m, e, true);
    s->figures.walks = m->figures.walks;
    s->figures.stale = m->figures.stale;
    s->figures.muted = m->figures.ruled[RULE_MUTE];
    s->figures.discarded = m->figures.ruled[RULE_DISCARD];
    s->figures.brought_back = m->figures.ruled[RULE_REDRIVE];
    s->figures.moved = m->figures.ruled[RULE_MOVE];
    s->figures.opened = m->figures.opened;
    s->figures.probed = m->figures.probed;
    s->figures.ramped = m->figures.ramped;
    s->figures.ramped_up = m->figures.ramped_up;
    s->figures.expired = m->figures.expired;
    s->figures.in_time = m->figures.in_time;
    s->figures.suspects = m->figures.suspects;
    s->figures.ends_holding = m->figures.ends_holding;
    s->figures.ends_asked = m->figures.ends_asked;
    for (size_t i = 0; i < m->live_count; i++) {
        struct model_group *g = &m->groups[m->live[i].group];
        if (!g->is_dlq && !model_must_be(m, &g->cells[m->live[i].seq], MODEL_DEAD))
            model_fail(m, g, m->live[i].seq, "not drained");
    }
}
