/* rule_turn: rules act on the letters that are due, and are set and deleted. */
#include "broker/core/cause.h"
#include "broker/core/due.h"
#include "broker/core/group_queue.h"
#include "broker/core/rule.h"
#include "broker/core/view_put.h"

#define RULED_ROWS_MAX 256 /* acted on in one tick */
#define FULL_RETRY_MS  1000

/* ---- acting ---- */

static const enum done_how hows[RULE_ACTIONS] = {
    [RULE_DISCARD] = DONE_DISCARDED,
    [RULE_REDRIVE] = DONE_REDRIVEN,
};

/* What a letter that is due waits for all the same. */
enum wait {
    WAIT_NOT,
    WAIT_BATCH, /* the next one, which has more room */
    WAIT_ROOM,  /* in the store; those behind it go on, and some of them make room */
};

/* The rule is gone, or is another by now, or is off: the letter is one like any other. */
static int let_lie(struct ledger *l, struct group *g, uint64_t seq, size_t bytes, struct dead_record *dead)
{
    uint8_t to[DEAD_ROW_BYTES_MAX];
    int err = rule_left(l, g, dead, seq);
    dead->rule = 0;
    dead->due_ms = 0;
    return err ? err : dead_rewrite(l, g->dlq, seq, bytes, dead, to);
}

static void count_done(struct ledger *l, struct rule *r)
{
    r->r.done++;
    r->group->r.counts.ruled[r->r.action]++;
    rule_dirty(l, r);
}

static int take_out(struct ledger *l, struct rule *r, uint64_t seq)
{
    bool found;
    count_done(l, r);
    l->ruling = r;
    int err = dead_remove(l, r->group->dlq, seq, hows[r->r.action], &found);
    l->ruling = NULL;
    return err;
}

/* Has some topic's letter been moved before? Then a rule leaves it where it is, or two topics' rules could pass it to and fro
 * for ever. */
static int was_moved(struct ledger *l, struct topic *dlq, uint64_t seq, bool *ret)
{
    struct loaded_message m;
    int err = message_load(l, dlq, seq, false, &m);
    struct message_view v = view_parse(m.message);
    *ret = message_header(&v, ORIGIN_HEADER).data != NULL;
    return err;
}

/* What the topic cannot take for another reason than room stays in the DLQ. */
static int send(struct ledger *l, struct rule *r, uint64_t seq, size_t bytes, struct dead_record *dead,
                enum wait *ret_wait)
{
    struct topic *dlq = r->group->dlq;
    int refusal = SHUNT_RESERVED;
    bool before;
    int err = was_moved(l, dlq, seq, &before);
    l->ruling = r;
    if (!err && !before)
        err = dead_move(l, dlq, seq, slice_of(r->r.to), false, &refusal);
    l->ruling = NULL;
    *ret_wait = refusal == SHUNT_UNAVAILABLE ? WAIT_BATCH : refusal == SHUNT_NO_SPACE ? WAIT_ROOM : WAIT_NOT;
    if (err || *ret_wait)
        return err;
    if (!refusal) {
        count_done(l, r);
        return 0;
    }
    r->r.given_up++;
    return let_lie(l, r->group, seq, bytes, dead);
}

/* More than there is: what moves is published, what comes back takes a little more than a letter. */
static bool wants_room(const struct ledger *l, enum rule_action action)
{
    return (action == RULE_MOVE && ledger_is_full(l)) ||
           (action == RULE_REDRIVE && l->room.fullness == STORE_LAST);
}

static int act_on(struct ledger *l, struct group *g, uint64_t seq, int64_t due_ms, enum wait *ret_wait)
{
    struct key key = key_id_seq(g->dlq->r.id, seq);
    struct slice value;
    struct dead_record dead = {.due_ms = due_ms};
    *ret_wait = WAIT_NOT;
    int err = store_get(l->txn, TABLE_DEAD, key_slice(&key), &value);
    if (err == SHUNT_NOT_FOUND) /* a row that a damaged store has lost */
        return rule_left(l, g, &dead, seq);
    if (!err)
        err = dead_decode(key_slice(&key), value, &dead);
    if (err)
        return err;
    struct rule *r = rule_of_id(g, dead.rule);
    if (!r || r->r.disabled)
        return let_lie(l, g, seq, value.size, &dead);
    if (wants_room(l, r->r.action)) {
        *ret_wait = WAIT_ROOM;
        return 0;
    }
    if (r->r.action == RULE_MOVE)
        return send(l, r, seq, value.size, &dead, ret_wait);
    return take_out(l, r, seq);
}

/* One tick's. */
struct turn {
    unsigned rows;
    bool for_room; /* some wait for room in the store … */
    bool more;     /* … and others have to be acted on at once */
};

/* *ret_next_ms is when the first one left is due. */
static int act_on_due(struct ledger *l, struct group *g, struct turn *t, int64_t *ret_next_ms)
{
    int64_t due_ms = 0, waits_ms = NEVER;
    uint64_t seq = 0;
    for (;; t->rows++) {
        enum wait waits = WAIT_BATCH;
        *ret_next_ms = waits_ms;
        int err = due_first(l, g, DUE_RULED, &due_ms, &seq);
        if (err)
            return err == SHUNT_NOT_FOUND ? 0 : err;
        *ret_next_ms = due_ms < waits_ms ? due_ms : waits_ms;
        if (due_ms > l->now_ms || t->rows == RULED_ROWS_MAX)
            return 0;
        if (ledger_has_half_room(l, ledger_remove_cost(g->dlq) + COST_RULE_BYTES))
            err = act_on(l, g, seq, due_ms, &waits);
        t->more |= waits == WAIT_BATCH;
        if (err || waits == WAIT_BATCH)
            return err;
        if (waits == WAIT_ROOM) {
            t->for_room = true;
            waits_ms = *ret_next_ms;
            seq++;
        }
    }
}

int rules_tick(struct ledger *l)
{
    size_t count = group_queue_take(l, QUEUE_RULED, l->now_ms);
    struct turn t = {0};
    int err = 0;
    for (size_t i = 0; !err && i < count; i++) {
        int64_t next_ms = NEVER;
        if (!l->taken[i]->dlq || l->taken[i]->r.dropped)
            continue;
        err = act_on_due(l, l->taken[i], &t, &next_ms);
        group_queue_at(l, QUEUE_RULED, l->taken[i], next_ms);
    }
    l->ruled_retry_ms = t.for_room && !t.more ? l->now_ms + FULL_RETRY_MS : 0;
    return err;
}

/* ---- setting ---- */

static void define(struct ledger *l, struct rule *r, const struct rule_command *c)
{
    r->r = (struct rule_record){.id = l->meta.job_next++,
                                .action = c->action,
                                .times = c->times,
                                .wait_ms = c->wait_ms,
                                .wait_max_ms = c->wait_max_ms,
                                .set_ms = l->now_ms};
    letter_filter_keep(&r->r.filter, &c->filter);
    slice_copy(r->r.to, c->to); /* the name of a topic that there is */
}

/* The number of one behind the last: places are left between them. */
static uint32_t number_behind(const struct group *g)
{
    uint32_t last = g->rules_count ? g->rules[g->rules_count - 1]->number : 0;
    return (last / 10 + 1) * 10;
}

int apply_rule_set(struct ledger *l, const struct rule_command *c)
{
    struct group *g = triaged_group(l, c->topic, c->group);
    if (!g)
        return 0;
    uint32_t number = c->number ? c->number : number_behind(g);
    struct rule *r = rule_find(g, number);
    const char *why = r ? NULL : rules_full(l, g);
    int err = why ? SHUNT_TOO_MANY : 0;
    if (!r && !c->define)
        err = SHUNT_NOT_FOUND;
    if (number > RULE_NUMBER_MAX) {
        err = SHUNT_BAD_ARGUMENT;
        why = "no number is left behind the last rule: give one";
    }
    if (!err && c->define && c->to.size)
        err = move_refused(g, ledger_topic(l, c->to), &why);
    if (err) {
        ledger_tell_done(l, err, err == SHUNT_NOT_FOUND ? NULL : why, 0, 0);
        return 0;
    }
    if (!r)
        r = rule_insert(l, g, number);
    if (!r)
        return SHUNT_NO_MEMORY;
    if (c->define)
        define(l, r, c);
    r->r.disabled = c->disabled;
    rule_dirty(l, r);
    ledger_tell_done(l, 0, NULL, 0, number);
    return 0;
}

int apply_rule_delete(struct ledger *l, const struct rule_command *c)
{
    struct group *g = triaged_group(l, c->topic, c->group);
    struct rule *r = g ? rule_find(g, c->number) : NULL;
    if (!g)
        return 0;
    ledger_tell_done(l, r ? 0 : SHUNT_NOT_FOUND, NULL, 0, c->number);
    return r ? rule_remove(l, r) : 0;
}
