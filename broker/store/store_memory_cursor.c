/* The memory store's cursors. A cursor is a key, there or not, and its moves are relative to that key; the
 * pair found last saves a search as long as the table has not changed.
 */
#include "broker/store/store_memory.h"

#include <stdlib.h>
#include <string.h>

int memory_cursor_open(struct store_txn *base, enum store_table table, struct store_cursor **ret)
{
    struct memory_store *s = store_of(base->store);
    struct memory_txn *t = (struct memory_txn *)base;
    if (t->failed)
        return t->failed;
    struct memory_cursor *c = malloc(sizeof *c);
    if (!c)
        return SHUNT_NO_MEMORY;
    *c = (struct memory_cursor){.base = {base->store}, .next = s->cursors, .txn = t, .table = table};
    s->cursors = c;
    *ret = &c->base;
    return 0;
}

void memory_cursor_close(struct store_cursor *base)
{
    struct memory_cursor *c = (struct memory_cursor *)base;
    struct memory_cursor **link = &store_of(base->store)->cursors;
    while (*link != c)
        link = &(*link)->next;
    *link = c->next;
    free(c);
}

/* The cursor comes to stand at `key`, found as `at` or not there (NULL). */
static void cursor_place(struct memory_cursor *c, struct slice key, struct pair *at)
{
    memmove(c->key, key.data, key.size);
    c->key_size = (uint8_t)key.size;
    c->placed = true;
    c->at = at;
    c->stamp = c->txn->tables[c->table].stamp;
}

static int cursor_answer(struct memory_cursor *c, struct pair *p, struct slice *ret_key,
                         struct slice *ret_value)
{
    if (!p)
        return SHUNT_NOT_FOUND;
    cursor_place(c, pair_key(p), p);
    *ret_key = pair_key(p);
    *ret_value = pair_value(p);
    return 0;
}

int memory_cursor_seek(struct store_cursor *base, struct slice key, struct slice *ret_key,
                       struct slice *ret_value)
{
    struct memory_cursor *c = (struct memory_cursor *)base;
    if (c->txn->failed)
        return c->txn->failed;
    if (!key_is_valid(key))
        return SHUNT_BAD_ARGUMENT;
    struct pair *p = pairs_at_least(&c->txn->tables[c->table], key);
    if (!p)
        cursor_place(c, key, NULL);
    return cursor_answer(c, p, ret_key, ret_value);
}

/* The cursor's pair, if it is still there; else NULL and, in ret_after, the first pair beyond its key. */
static struct pair *cursor_pair(struct memory_cursor *c, struct pair **ret_after)
{
    struct pairs *m = &c->txn->tables[c->table];
    if (c->at && c->stamp == m->stamp)
        return c->at;
    struct slice key = {c->key, c->key_size};
    struct pair *p = pairs_at_least(m, key);
    if (p && slice_equal(pair_key(p), key))
        return p;
    *ret_after = p;
    return NULL;
}

int memory_cursor_next(struct store_cursor *base, struct slice *ret_key, struct slice *ret_value)
{
    struct memory_cursor *c = (struct memory_cursor *)base;
    if (c->txn->failed)
        return c->txn->failed;
    if (!c->placed)
        return cursor_answer(c, pairs_first(&c->txn->tables[c->table]), ret_key, ret_value);
    struct pair *after = NULL;
    struct pair *p = cursor_pair(c, &after);
    return cursor_answer(c, p ? pairs_next(p) : after, ret_key, ret_value);
}

int memory_cursor_prev(struct store_cursor *base, struct slice *ret_key, struct slice *ret_value)
{
    struct memory_cursor *c = (struct memory_cursor *)base;
    if (c->txn->failed)
        return c->txn->failed;
    struct pairs *m = &c->txn->tables[c->table];
    if (!c->placed)
        return cursor_answer(c, pairs_last(m), ret_key, ret_value);
    struct pair *after = NULL;
    struct pair *p = cursor_pair(c, &after);
    if (!p)
        p = after;
    return cursor_answer(c, p ? pairs_prev(m, p) : pairs_last(m), ret_key, ret_value);
}

int memory_cursor_del(struct store_cursor *base)
{
    struct memory_cursor *c = (struct memory_cursor *)base;
    if (c->txn->failed)
        return c->txn->failed;
    if (!c->placed)
        return SHUNT_NOT_FOUND;
    return memory_del(&c->txn->base, c->table, (struct slice){c->key, c->key_size}, NULL);
}
