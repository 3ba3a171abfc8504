/* rule: the rules that are kept: few to a group, in memory and as a record each, which is written once in a batch. */
#include "broker/core/rule.h"
#include "base/array.h"
#include "base/check.h"
#include "base/search.h"

#include <stdlib.h>

/* ---- in memory ---- */

static int order(const void *element, const void *key)
{
    uint32_t have = (*(struct rule *const *)element)->number, want = *(const uint32_t *)key;
    return (have > want) - (have < want);
}

size_t rule_position(const struct group *g, uint32_t number)
{
    return search_first(g->rules, g->rules_count, sizeof *g->rules, &number, order);
}

struct rule *rule_find(const struct group *g, uint32_t number)
{
    size_t at = rule_position(g, number);
    return at < g->rules_count && g->rules[at]->number == number ? g->rules[at] : NULL;
}

struct rule *rule_of_id(const struct group *g, uint64_t id)
{
    for (size_t i = 0; i < g->rules_count; i++) {
        if (g->rules[i]->r.id == id)
            return g->rules[i];
    }
    return NULL;
}

const struct rule *rule_acting(const struct group *g, const struct dead_record *dead)
{
    const struct rule *r = dead->rule ? rule_of_id(g, dead->rule) : NULL;
    return r && !r->r.disabled ? r : NULL;
}

const char *rules_full(const struct ledger *l, const struct group *g)
{
    if (g->rules_count >= RULES_MAX)
        return "a group has at most 32 rules: delete one";
    if (l->rules_count >= RULES_TOTAL_MAX)
        return "all groups together have at most 4000 rules: delete one";
    return NULL;
}

/* Not by doubling: most groups have none, and the others few. */
struct rule *rule_insert(struct ledger *l, struct group *g, uint32_t number)
{
    struct rule *r = calloc(1, sizeof *r);
    struct rule **rules = r ? realloc(g->rules, (g->rules_count + 1) * sizeof *rules) : NULL;
    if (!rules) {
        free(r);
        return NULL;
    }
    g->rules = rules;
    size_t at = rule_position(g, number);
    array_insert(rules, &g->rules_count, at);
    rules[at] = r;
    l->rules_count++;
    r->number = number;
    r->group = g;
    return r;
}

static void take_out(struct ledger *l, struct rule *r)
{
    struct group *g = r->group;
    size_t at = rule_position(g, r->number);
    struct rule **dirty = &l->dirty_rules;
    check(g->rules[at] == r);
    while (*dirty && *dirty != r)
        dirty = &(*dirty)->dirty_next;
    if (*dirty)
        *dirty = r->dirty_next;
    array_remove(g->rules, &g->rules_count, at);
    l->rules_count--;
    free(r);
}

int rule_remove(struct ledger *l, struct rule *r)
{
    struct key key = key_id_seq(r->group->r.id, r->number);
    l->changed = true;
    take_out(l, r);
    int err = ledger_del(l, TABLE_RULE, key_slice(&key), NULL);
    return err == SHUNT_NOT_FOUND ? 0 : err; /* it was set since the last seal */
}

void rules_forget(struct ledger *l, struct group *g)
{
    while (g->rules_count)
        take_out(l, g->rules[g->rules_count - 1]);
    free(g->rules);
    g->rules = NULL;
}

void rules_free(struct ledger *l)
{
    for (size_t i = 0; i < l->groups_count; i++)
        rules_forget(l, l->groups[i]);
}

/* ---- load and flush ---- */

void rule_dirty(struct ledger *l, struct rule *r)
{
    if (r->charged != l->batch) {
        r->charged = l->batch;
        l->changed = true;
        l->meter.bytes += COST_RULE_BYTES;
    }
    if (r->dirty)
        return;
    r->dirty = true;
    r->dirty_next = l->dirty_rules;
    l->dirty_rules = r;
}

int rules_flush(struct ledger *l)
{
    int err = 0;
    for (; !err && l->dirty_rules; l->dirty_rules = l->dirty_rules->dirty_next) {
        struct rule *r = l->dirty_rules;
        struct key key = key_id_seq(r->group->r.id, r->number);
        size_t size = rule_encode(l->record, key_slice(&key), &r->r);
        err = store_put(l->txn, TABLE_RULE, key_slice(&key), (struct slice){l->record, size});
        r->dirty = false;
    }
    return err;
}

static int load_row(struct ledger *l, struct slice key, struct slice value)
{
    uint32_t id;
    uint64_t number;
    struct group *g = key_read_id_seq(key, &id, &number) ? catalog_group_by_id(l, id) : NULL;
    if (!g || number > RULE_NUMBER_MAX || rule_find(g, (uint32_t)number))
        return SHUNT_CORRUPT;
    if (g->r.dropped)
        return 0;
    struct rule *r = rule_insert(l, g, (uint32_t)number);
    return r ? rule_decode(key, value, &r->r) : SHUNT_NO_MEMORY;
}

int rules_load(struct ledger *l, char *ret_why, size_t why_bytes)
{
    struct store_cursor *cursor;
    struct slice key, value;
    int err = store_cursor_open(l->txn, TABLE_RULE, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value);
    while (!err) {
        err = load_row(l, key, value);
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    if (err == SHUNT_NOT_FOUND)
        return 0;
    ledger_say(ret_why, why_bytes, "a row of the rule table cannot be read");
    return err;
}
