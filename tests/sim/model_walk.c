/* model_walk: the ledger's account against the model's, message by message and group by group. */
#include "broker/core/state.h"
#include "tests/sim/model.h"
#include "tests/sim/server.h"

#include <string.h>

struct walk {
    struct model *m;
    struct ledger *l;
    struct store_txn *txn;
    struct group *groups[MODEL_GROUPS_MAX]; /* the ledger's; NULL: none */
    uint64_t in[MODEL_GROUPS_MAX][MODEL_DONE + 1];
    uint64_t suspects[MODEL_GROUPS_MAX];
};

/* ---- one cell ---- */

struct seen {
    const struct model *m;
    struct model_is is;
    bool row; /* it has a row of its own, which says all of it */
    uint64_t dead_seq;
    uint64_t rule_id; /* DEAD: of the rule that will act on it */
    bool opened;      /* it may have been looked at by a consumer of the DLQ */
};

static void see_letter(const struct walk *w, const struct group *g, struct seen *s)
{
    struct key key = key_id_seq(g->dlq->r.id, s->dead_seq);
    struct slice value;
    struct dead_record dead;
    if (store_get(w->txn, TABLE_DEAD, key_slice(&key), &value) || dead_decode(key_slice(&key), value, &dead))
        model_fail(w->m, NULL, 0, "a dead letter cannot be read");
    s->is.due_lo = s->is.due_hi = dead.due_ms;
    s->is.reason = (uint8_t)dead.reason;
    s->is.muted = dead.attended;
    s->rule_id = dead.rule;
    s->opened = w->m->sim->plan.dlq_consumers;
}

static struct seen see_row(const struct walk *w, const struct group *g, uint64_t seq)
{
    struct seen s = {.m = w->m, .is = {.state = MODEL_DONE}};
    struct key key = key_id_seq(g->r.id, seq);
    struct slice value;
    struct attempt_record row;
    int err = store_get(w->txn, TABLE_ATTEMPT, key_slice(&key), &value);
    if (err == SHUNT_NOT_FOUND)
        return s;
    if (err || attempt_decode(key_slice(&key), value, &row))
        model_fail(w->m, NULL, 0, "a row cannot be read");
    bool waits = row.state == ATTEMPT_WAITING;
    s.row = true;
    s.is.state = row.state == ATTEMPT_DEAD       ? MODEL_DEAD
                 : !waits                        ? MODEL_FLIGHT
                 : row.due_ms > g->r.due_mark_ms ? MODEL_DELAYED
                                                 : MODEL_READY;
    s.is.suspect = row.suspect;
    s.is.attempts = row.attempts;
    s.is.deliveries = row.deliveries;
    s.is.generation = row.generation;
    s.is.token = row.deliveries_total;
    s.is.due_lo = s.is.due_hi = row.due_ms;
    s.is.expires = row.expires_ms;
    s.is.deadline = row.deadline_ms;
    s.is.ttl_ends = row.deadline_ms ? row.ttl_ends_ms : 0;
    s.is.left = row.ttl_left_ms;
    s.is.ruled = row.ruled;
    s.dead_seq = row.dead_seq;
    if (s.is.state == MODEL_DEAD)
        see_letter(w, g, &s);
    return s;
}

static struct seen see(const struct walk *w, const struct group *g, uint64_t seq)
{
    struct seen s = {.m = w->m, .is = {.state = MODEL_DONE}};
    if (seq < g->r.start || seq >= g->topic->r.head)
        return s;
    if (seq < g->r.floor || bitmap_get(&g->bits, seq))
        return see_row(w, g, seq);
    s.is.state = seq >= g->r.next ? MODEL_READY : MODEL_FLIGHT;
    s.is.deliveries = seq < g->r.next;
    s.is.token = s.is.deliveries;
    return s;
}

static bool is_ruled(const struct model_is *is, const struct seen *s)
{
    return is->reason == s->is.reason && model_is_setting(s->m, is->rule, s->rule_id) &&
           (is->muted ? s->is.muted : !s->is.muted || s->opened) &&
           (!is->rule || (s->is.due_lo >= is->due_lo && s->is.due_lo <= is->due_hi));
}

static bool is_seen(const struct model_is *is, const void *context)
{
    const struct seen *s = context;
    if (is->state != s->is.state)
        return false;
    if (is->state == MODEL_DONE)
        return true;
    if (is->suspect != s->is.suspect || is->attempts != s->is.attempts ||
        is->deliveries != s->is.deliveries || is->generation != s->is.generation || is->token != s->is.token)
        return false;
    if (is->state == MODEL_DELAYED && (s->is.due_lo < is->due_lo || s->is.due_lo > is->due_hi))
        return false;
    if (is->state == MODEL_DEAD && !is_ruled(is, s))
        return false;
    bool differs = is->deadline != MODEL_UNKNOWN_TIME && is->deadline != s->is.deadline;
    if (s->row && (differs || is->ruled != s->is.ruled))
        return false;
    if (!s->row || is->expires == MODEL_UNKNOWN_TIME)
        return true;
    return is->expires == s->is.expires && (is->state != MODEL_DEAD || is->left == s->is.left);
}

static _Noreturn void differ(const struct walk *w, struct model_group *g, uint64_t seq, const struct seen *s)
{
    static const char *const names[] = {"ready", "in flight", "delayed", "dead", "done"};
    char text[400];
    (void)snprintf(
        text, sizeof text,
        "the ledger has it as %s, attempts %u, deliveries %u, generation %u, token %llu%s, due in %lld, "
        "expires in %lld, deadline in %lld, left %lld, ruled %u, rule id %llu, reason %u%s",
        names[s->is.state], s->is.attempts, s->is.deliveries, s->is.generation,
        (unsigned long long)s->is.token, s->is.suspect ? ", suspect" : "",
        (long long)(s->is.due_lo - w->m->wall), (long long)(s->is.expires - w->m->wall),
        (long long)(s->is.deadline - w->m->wall), (long long)s->is.left, s->is.ruled,
        (unsigned long long)s->rule_id, s->is.reason, s->is.muted ? ", attended" : "");
    model_fail(w->m, g, seq, text);
}

/* A dead letter has its place in the DLQ, and the place has its dead letter. */
static void link_dead(struct walk *w, struct model_group *g, struct model_cell *c, uint64_t seq,
                      uint64_t dead_seq)
{
    struct model_group *dlq = &w->m->groups[g->other];
    struct model_cell *letter = model_cell(w->m, dlq, dead_seq);
    if (!letter) {
        letter = model_cell_add(w->m, dlq, dead_seq);
        model_newborn(w->m, dlq, letter);
        letter->link = seq;
        if (model_message(w->m, g, seq)->damaged) /* and may have been found so at once */
            (void)model_event(w->m, dlq, letter, EVENT_CORRUPT, 0, false);
    }
    if (letter->link != seq)
        model_fail(w->m, g, seq, "its place in the DLQ is another's");
    c->link = dead_seq;
}

/* Of the states it may be in, the one that the ledger has. */
static void adopt(struct walk *w, struct model_group *g, struct model_cell *c, uint64_t seq)
{
    struct seen s = see(w, w->groups[g - w->m->groups], seq);
    unsigned count = model_only(w->m, c, is_seen, &s), ways = 0;
    if (!count)
        differ(w, g, seq, &s);
    const struct model_is *is = model_states(w->m, c, &count);
    for (unsigned i = 0; i < count; i++)
        ways |= is[i].how;
    c->now = is[0];
    c->set = 0;
    c->now.how = (uint8_t)ways;
    if (s.row) {
        c->now.due_lo = c->now.due_hi = s.is.due_lo;
        c->now.expires = s.is.expires;
        c->now.left = s.is.left;
        c->now.deadline = s.is.deadline;
        c->now.ttl_ends = s.is.ttl_ends;
    }
    if (c->now.rule)
        w->m->settings[c->now.rule] = s.rule_id;
    if (c->now.state == MODEL_DEAD && c->link != s.dead_seq)
        link_dead(w, g, c, seq, s.dead_seq);
    if (c->now.state != MODEL_DEAD && !g->is_dlq)
        c->link = 0;
}

/* ---- groups ---- */

static void find_groups(struct walk *w)
{
    struct model *m = w->m;
    uint64_t there = 0, known = 0;
    for (unsigned i = 0; i < m->groups_count; i++) {
        struct model_group *g = &m->groups[i];
        if (g->is_dlq)
            continue;
        struct topic *t = ledger_topic(w->l, slice_of(g->topic));
        struct group *found = t ? catalog_find_group(t, slice_of(g->name)) : NULL;
        if (g->exists == MODEL_MAYBE)
            g->exists = found ? MODEL_YES : MODEL_GONE;
        if ((g->exists == MODEL_YES) == !found)
            model_fail(m, g, 0, found ? "the group is there again" : "the group is gone");
        if (found && (g->closed || m->groups[g->other].closed))
            model_fail(m, g, 0, "a subscription was ended though the group is there");
        m->groups[g->other].exists = g->exists;
        w->groups[i] = found;
        w->groups[g->other] = found ? found->dlq->groups[0] : NULL;
        known += found != NULL;
    }
    for (size_t i = 0; i < w->l->groups_count; i++) {
        const struct group *g = w->l->groups[i];
        there += !g->r.dropped && g->topic && !g->topic->r.dropped && !g->origin;
    }
    if (there != known)
        model_fail(m, NULL, 0, "the ledger has groups that nobody made");
}

/* Messages that nobody was told of must be some that somebody sent, or that a rule has put there. */
static void find_messages(struct walk *w, struct model_group *g, const struct group *found)
{
    struct model_group *first = &w->m->groups[g->messages];
    uint64_t head = found->topic->r.head, unclaimed = 0;
    if (head > 1 && head > first->list_count)
        model_message_add(w->m, g, head - 1);
    if (first->list_count > head)
        model_fail(w->m, g, first->list_count - 1, "a message is not stored");
    for (size_t i = first->walked; i < first->list_count; i++) {
        struct model_message *of = first->list[i].claimed ? NULL : model_copied(w->m, w->txn, found, i);
        unclaimed += !first->list[i].claimed;
        first->list[i].copy = of != NULL;
        first->list[i].claimed |= of != NULL;
        if (of)
            of->copies++;
    }
    if (unclaimed > first->unclaimed)
        model_fail(w->m, g, first->walked, "messages are stored that nobody published");
    first->walked = first->list_count;
    first->unclaimed = 0;
}

static bool is_stored(const struct walk *w, const struct group *g, uint64_t seq)
{
    struct key key = key_id_seq(g->topic->r.id, seq);
    struct slice value;
    return !store_get(w->txn, TABLE_MESSAGE, key_slice(&key), &value);
}

/* What a new group begins with. */
static void begin_group(struct walk *w, struct model_group *g, const struct group *found)
{
    for (uint64_t seq = 1; seq < found->topic->r.head; seq++) {
        const struct model_message *message = model_message(w->m, g, seq);
        if (!is_stored(w, found, seq) || see(w, found, seq).is.state == MODEL_DONE ||
            model_cell(w->m, g, seq))
            continue;
        struct model_cell *c = model_cell_add(w->m, g, seq);
        model_newborn(w->m, g, c);
        if (!message->claimed)
            continue;
        c->set = 0;
        c->now = (struct model_is){.state = MODEL_READY,
                                   .expires = message->expires,
                                   .deadline = message->deadline,
                                   .ttl_ends = message->ttl_ends};
        if (message->due) {
            struct model_is later = c->now;
            later.state = MODEL_DELAYED;
            later.due_lo = message->due > 0 ? message->due : 0;
            later.due_hi = message->due > 0 ? message->due : INT64_MAX;
            model_also(w->m, c, &later);
        }
    }
    g->fresh = false;
}

static void count_done(struct model *m, struct model_group *g, uint64_t seq, unsigned ways)
{
    struct model_message *message = g->is_dlq ? NULL : model_message(m, g, seq);
    if (message) {
        message->moved_lo += ways == MODEL_REDRIVEN;
        message->moved_hi += (ways & MODEL_REDRIVEN) != 0;
    }
    for (unsigned i = 0; i < MODEL_WAYS; i++) {
        g->done_lo[i] += ways == 1u << i;
        g->done_hi[i] += (ways & 1u << i) != 0;
    }
}

/* In a DLQ: numbers of letters that came and went within one turn. */
static void find_letters(struct walk *w, struct model_group *g, const struct group *found)
{
    uint64_t head = found->topic->r.head;
    for (uint64_t seq = g->walked ? g->walked : 1; seq < head; seq++) {
        if (model_cell(w->m, g, seq))
            continue;
        if (!g->redriving && !g->purging_dead && !g->ruled)
            model_fail(w->m, g, seq, "a dead letter that no message died for");
        struct model_cell *c = model_cell_add(w->m, g, seq);
        c->now =
            (struct model_is){.state = MODEL_DONE, .how = MODEL_REDRIVEN | MODEL_PURGED | MODEL_DISCARDED};
        count_done(w->m, g, seq, c->now.how);
        w->m->live_count--; /* it never was */
    }
    if (g->cells_count > (head ? head : 1))
        model_fail(w->m, g, g->cells_count - 1, "a dead letter that is not in its queue");
    g->walked = head;
}

static void compare(struct walk *w, struct model_group *g, const char *what, uint64_t ledger, uint64_t lo,
                    uint64_t hi)
{
    char line[200];
    if (ledger >= lo && ledger <= hi)
        return;
    (void)snprintf(line, sizeof line, "%s: the ledger counts %llu, the model %llu to %llu", what,
                   (unsigned long long)ledger, (unsigned long long)lo, (unsigned long long)hi);
    model_fail(w->m, g, 0, line);
}

/* published = ready + in flight + delayed + dead + done, by the model's own sums. */
static void compare_counts(struct walk *w, struct model_group *g, const struct group *found)
{
    const struct group_counts *n = &found->r.counts;
    const uint64_t *in = w->in[g - w->m->groups];
    const uint64_t done[MODEL_WAYS] = {n->acked, n->discarded, n->purged, n->moved_away};
    static const char *const names[MODEL_WAYS] = {"acked", "discarded", "purged", "redriven away"};
    uint64_t ended = 0;
    for (unsigned i = 0; i < RULE_ACTIONS; i++)
        w->m->figures.ruled[i] += n->ruled[i];
    compare(w, g, "published", n->published, g->published, g->published);
    compare(w, g, "ready", n->ready, in[MODEL_READY], in[MODEL_READY]);
    compare(w, g, "in flight", n->in_flight, in[MODEL_FLIGHT], in[MODEL_FLIGHT]);
    compare(w, g, "delayed", n->delayed, in[MODEL_DELAYED], in[MODEL_DELAYED]);
    compare(w, g, "dead", n->dead, in[MODEL_DEAD], in[MODEL_DEAD]);
    /* One that waits for another one of its key is not ready to be handed out alone. */
    uint64_t suspects = w->suspects[g - w->m->groups];
    compare(w, g, "suspects", n->suspects, g->ordered ? 0 : suspects, suspects);
    compare(w, g, "expired", n->expired, 0, 0);
    for (unsigned i = 0; i < MODEL_WAYS; i++) {
        compare(w, g, names[i], done[i], g->done_lo[i], g->done_hi[i]);
        ended += done[i];
    }
    uint64_t live = in[MODEL_READY] + in[MODEL_FLIGHT] + in[MODEL_DELAYED] + in[MODEL_DEAD];
    compare(w, g, "the sum of the states", live + ended, g->published, g->published);
    if (g->paused_maybe)
        g->paused = found->r.paused;
    g->paused_maybe = false;
    if (g->paused != found->r.paused)
        model_fail(w->m, g, 0, "paused, or not, as nobody asked for");
}

/* ---- all ---- */

static void walk_live(struct walk *w)
{
    struct model *m = w->m;
    size_t kept = 0;
    for (size_t i = 0; i < m->live_count; i++) { /* dead letters are added on the way */
        struct model_place at = m->live[i];
        struct model_group *g = &m->groups[at.group];
        struct model_cell *c = &g->cells[at.seq];
        if (!w->groups[at.group]) {
            if (!g->is_dlq)
                model_message(m, g, at.seq)->moved_hi++; /* before its group was deleted */
            c->set = 0;
            continue;
        }
        model_breaker_keep(m, g, c, at.seq);
        adopt(w, g, c, at.seq);
        if (c->now.state == MODEL_DONE) {
            count_done(m, g, at.seq, c->now.how);
            continue;
        }
        w->in[at.group][c->now.state]++;
        w->suspects[at.group] += c->now.state == MODEL_READY && c->now.suspect;
        m->live[kept++] = at;
    }
    m->live_count = kept;
    m->sets_count = 0;
}

/* What is done stays so; a dead letter is dead in its group as long as it is in the DLQ. */
static void walk_others(struct walk *w)
{
    for (unsigned i = 0; i < w->m->groups_count; i++) {
        struct model_group *g = &w->m->groups[i];
        for (size_t seq = 1; w->groups[i] && seq < g->cells_count; seq++) {
            const struct model_cell *c = &g->cells[seq];
            const struct model_cell *other = model_cell(w->m, &w->m->groups[g->other], c->link);
            if (!c->mine)
                continue;
            if (c->now.state == MODEL_DONE) {
                struct seen s = see(w, w->groups[i], seq);
                if (s.is.state != MODEL_DONE)
                    differ(w, g, seq, &s);
            } else if (g->is_dlq ? !other || other->now.state != MODEL_DEAD || other->link != seq
                                 : c->now.state == MODEL_DEAD && (!other || other->now.state == MODEL_DONE)) {
                model_fail(w->m, g, seq, "dead in its group or in the DLQ, but not in both");
            }
        }
    }
}

static void walk(struct walk *w, bool all)
{
    struct model *m = w->m;
    memset(m->figures.ruled, 0, sizeof m->figures.ruled);
    find_groups(w);
    for (unsigned i = 0; i < m->groups_count; i++) {
        struct model_group *g = &m->groups[i];
        if (!w->groups[i] || g->is_dlq)
            continue;
        model_find_rules(m, g, w->groups[i]);
        model_breaker_judge(m, g, w->groups[i]);
        find_messages(w, g, w->groups[i]);
        if (g->fresh)
            begin_group(w, g, w->groups[i]);
    }
    walk_live(w);
    for (unsigned i = 0; i < m->groups_count; i++) {
        struct model_group *g = &m->groups[i];
        model_breaker_turned(g, w->groups[i]);
        if (!w->groups[i])
            continue;
        if (g->is_dlq)
            find_letters(w, g, w->groups[i]);
        compare_counts(w, g, w->groups[i]);
    }
    if (all) {
        walk_others(w);
        model_compare_copies(m);
    }
    for (unsigned i = 0; i < m->groups_count; i++) {
        struct model_group *g = &m->groups[i];
        g->ended_now = false;
        if (g->attempts_next)
            g->attempts_lo = g->attempts_hi = g->attempts_next;
        g->attempts_next = 0;
        if (!w->l->jobs_count) {
            g->spread = 0;
            g->keeps = g->purging = g->purging_dead = g->redriving = false;
        }
    }
    m->figures.walks++;
}

void model_walk(struct model *m, struct engine *e, bool all)
{
    struct walk w = {.m = m, .l = e->ledger};
    /* A fault that is due must hit the engine, not the one who looks. */
    disk_hold_faults(&m->sim->disk);
    if (store_begin(m->sim->disk.store, false, &w.txn))
        model_fail(m, NULL, 0, "no transaction");
    walk(&w, all);
    store_abort(w.txn);
    disk_let_faults(&m->sim->disk);
}
