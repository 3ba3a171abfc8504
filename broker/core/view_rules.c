/* view_rules: the rules on a group's dead letters, and which letters one would match. Touches nothing. */
#include "base/array.h"
#include "base/search.h"
#include "broker/core/cause.h"
#include "broker/core/fingerprint.h"
#include "broker/core/rule.h"
#include "broker/core/view_put.h"

#include <stdlib.h>

static void put_rule(const struct ledger *l, const struct rule *rule, struct mpack_buffer *to)
{
    static const char *const actions[] = RULE_ACTION_NAMES, *const outcomes[] = REDRIVE_OUTCOME_NAMES;
    const struct rule_record *r = &rule->r;
    bool redrives = r->action == RULE_REDRIVE;
    mpack_write_map(to, 14);
    put_uint(to, "rule", rule->number);
    put_filter(to, &r->filter);
    put_key(to, "action");
    mpack_write_cstr(to, actions[r->action]);
    put_uint(to, "times", r->times);
    put_uint(to, "wait_ms", (uint64_t)r->wait_ms);
    put_uint(to, "wait_max_ms", (uint64_t)r->wait_max_ms);
    put_slice(to, "to", slice_of(r->to));
    put_key(to, "disabled");
    mpack_write_bool(to, r->disabled);
    put_time(l, to, "set", r->set_ms);
    put_uint(to, "matched", r->matched);
    put_uint(to, "done", r->done);
    put_uint(to, "waiting", r->waiting);
    put_uint(to, "given_up", r->given_up);
    put_key(to, "outcomes");
    mpack_write_map(to, redrives ? REDRIVE_OUTCOMES : 0);
    for (unsigned i = 0; redrives && i < REDRIVE_OUTCOMES; i++)
        put_uint(to, outcomes[i], r->outcomes[i]);
}

void put_acting(const struct ledger *l, struct mpack_buffer *to, const struct group *g,
                const struct dead_record *dead)
{
    static const char *const actions[] = RULE_ACTION_NAMES;
    const struct rule *r = rule_acting(g, dead);
    put_id(to, "rule", r ? r->number : 0);
    put_slice(to, "rule_action", slice_of(r ? actions[r->r.action] : ""));
    put_time(l, to, "rule_at", r ? dead->due_ms : 0);
}

int view_rules(const struct view *v, struct group *g, struct mpack_buffer *to)
{
    if (!g->dlq)
        return SHUNT_BAD_ARGUMENT;
    mpack_write_array(to, (uint32_t)g->rules_count);
    for (size_t i = 0; i < g->rules_count; i++) {
        ledger_looked(v->ledger, 0);
        put_rule(v->ledger, g->rules[i], to);
    }
    return to->failed ? SHUNT_NO_MEMORY : 0;
}

/* ---- which letters it would match ---- */

struct match {
    uint64_t cause;
    uint64_t count, earlier; /* letters; of those, that a rule before it would decide on */
};

struct test {
    struct ledger *l;
    struct group *g;
    struct letter_filter filter;
    size_t earlier;      /* how many rules stand before it */
    struct match *found; /* in order of cause */
    size_t count, capacity;
};

static int order(const void *element, const void *key)
{
    uint64_t have = ((const struct match *)element)->cause, want = *(const uint64_t *)key;
    return (have > want) - (have < want);
}

/* NULL without memory. */
static struct match *match_of(struct test *t, uint64_t cause)
{
    size_t at = search_first(t->found, t->count, sizeof *t->found, &cause, order);
    if (at < t->count && t->found[at].cause == cause)
        return &t->found[at];
    if (!array_room(&t->found, &t->capacity, t->count + 1))
        return NULL;
    array_insert(t->found, &t->count, at);
    t->found[at] = (struct match){.cause = cause};
    return &t->found[at];
}

static int decided_before(struct test *t, const struct dead_letter *d, bool *ret)
{
    int err = 0;
    *ret = false;
    for (size_t i = 0; !err && !*ret && i < t->earlier; i++) {
        struct letter_filter f = letter_filter_kept(&t->g->rules[i]->r.filter);
        if (!t->g->rules[i]->r.disabled)
            err = rule_matches(t->l, &f, d, ret);
    }
    return err;
}

static int test_letter(struct test *t, uint64_t seq)
{
    struct loaded_message m;
    struct dead_letter d;
    bool matches, before;
    int err = message_load(t->l, t->g->dlq, seq, false, &m);
    ledger_looked(t->l, m.message.size);
    if (!err)
        err = letter_row(t->l, t->g->dlq, seq, &m, &d);
    if (!err)
        err = rule_matches(t->l, &t->filter, &d, &matches);
    if (err || !matches)
        return err;
    err = decided_before(t, &d, &before);
    struct match *found = err ? NULL : match_of(t, m.dead.cause);
    if (!found)
        return err ? err : SHUNT_NO_MEMORY;
    found->count++;
    found->earlier += before;
    return 0;
}

static int test_page(struct test *t, const struct view *v, uint64_t *after, uint32_t limit, bool *ret_more)
{
    struct store_cursor *cursor;
    struct slice key, value;
    uint32_t id;
    uint64_t seq, most = t->l->rows + LOOK_ROWS_MAX;
    struct key from = key_id_seq(t->g->dlq->r.id, *after == UINT64_MAX ? *after : *after + 1);
    *ret_more = false;
    int err = store_cursor_open(v->txn, TABLE_DEAD, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    while (!err && key_read_id_seq(key, &id, &seq) && id == t->g->dlq->r.id) {
        *ret_more = !limit || t->l->rows >= most;
        if (*ret_more)
            break;
        limit--;
        *after = seq;
        err = test_letter(t, seq);
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

static void put_matches(const struct test *t, struct mpack_buffer *to)
{
    char digits[FINGERPRINT_DIGITS + 1];
    mpack_write_array(to, (uint32_t)t->count);
    for (size_t i = 0; i < t->count; i++) {
        const struct cause *cause = cause_find(t->g, t->found[i].cause);
        fingerprint_write(digits, t->found[i].cause);
        mpack_write_map(to, 4);
        put_slice(to, "cause", (struct slice){digits, t->found[i].cause ? FINGERPRINT_DIGITS : 0});
        put_slice(to, "title", cause ? slice_of(cause->r.title) : (struct slice){0});
        put_uint(to, "count", t->found[i].count);
        put_uint(to, "earlier", t->found[i].earlier);
    }
}

int view_rule_test(const struct view *v, struct group *g, uint32_t number, const struct letter_filter *filter,
                   uint64_t after, uint32_t limit, struct mpack_buffer *to)
{
    if (!g->dlq)
        return SHUNT_BAD_ARGUMENT;
    const struct rule *r = filter ? NULL : rule_find(g, number);
    if (!r && !filter)
        return SHUNT_NOT_FOUND;
    struct test t = {.l = v->ledger,
                     .g = g,
                     .filter = filter ? *filter : letter_filter_kept(&r->r.filter),
                     .earlier = number ? rule_position(g, number) : g->rules_count};
    bool more;
    t.l->txn = v->txn;
    int err = test_page(&t, v, &after, limit, &more);
    if (!err) {
        put_matches(&t, to);
        mpack_write_bool(to, more);
        mpack_write_uint(to, after);
    }
    free(t.found);
    return !err && to->failed ? SHUNT_NO_MEMORY : err;
}
