/* The journal's store: cursors. A cursor is a key, there or not, and its moves are relative to that key. It goes over three layers:
 * the generation that is being filled, the frozen one, the store behind; where several have a key, the first of them says what is
 * under it, and a row that hides is passed over. Forwards, each layer stands at its first row that is not before the cursor; that
 * stays so from move to move, and only what has changed is searched for again.
 */
#include "broker/journal/store_journal_private.h"

#include "base/slice.h"

#include <stdlib.h>

enum { LAYER_FILLING, LAYER_FROZEN, LAYER_BEHIND, LAYERS };

struct journal_cursor {
    struct store_cursor base;
    struct journal_txn *txn;
    enum store_table table;
    bool placed;
    bool ahead; /* the layers stand as the head of the file says */
    uint8_t key_size;
    uint8_t key[STORE_KEY_BYTES_MAX];

    struct index_at at[LAYER_BEHIND];
    uint64_t stamps[LAYER_BEHIND];
    const struct row *rows[LAYER_BEHIND]; /* where the layers stand; NULL: at their end */
    struct store_cursor *behind;
    struct slice behind_key, behind_value; /* no bytes: at its end */
};

static struct index *layer(const struct journal_cursor *c, unsigned i)
{
    struct journal_store *s = journal_store_of(c->base.store);
    struct generation *g = i == LAYER_FILLING ? s->filling : s->frozen;
    return g ? &g->tables[c->table] : NULL;
}

int journal_cursor_open(struct store_txn *base, enum store_table table, struct store_cursor **ret)
{
    struct journal_txn *t = (struct journal_txn *)base;
    if (t->failed)
        return t->failed;
    struct journal_cursor *c = malloc(sizeof *c);
    if (!c)
        return SHUNT_NO_MEMORY;
    c->base.store = base->store;
    c->txn = t;
    c->table = table;
    c->placed = c->ahead = false;
    c->behind = NULL;
    *ret = &c->base;
    return 0;
}

void journal_cursor_close(struct store_cursor *base)
{
    struct journal_cursor *c = (struct journal_cursor *)base;
    store_cursor_close(c->behind);
    free(c);
}

static int fail(struct journal_cursor *c, int err)
{
    if (err && err != SHUNT_NOT_FOUND && !c->txn->failed)
        c->txn->failed = err;
    return err;
}

static struct slice place_of(const struct journal_cursor *c)
{
    return (struct slice){c->key, c->key_size};
}

static void place(struct journal_cursor *c, struct slice key)
{
    memmove(c->key, key.data, key.size);
    c->key_size = (uint8_t)key.size;
    c->placed = true;
}

/* ---- the layers ---- */

static int behind_answer(struct journal_cursor *c, int err)
{
    if (err)
        c->behind_key = (struct slice){0};
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

static int behind_open(struct journal_cursor *c)
{
    struct store_txn *below;
    if (c->behind)
        return 0;
    int err = journal_below(journal_store_of(c->base.store), &below);
    return err ? err : store_cursor_open(below, c->table, &c->behind);
}

static int behind_seek(struct journal_cursor *c, struct slice key, bool after)
{
    int err = behind_open(c);
    if (!err)
        err = behind_answer(c, store_cursor_seek(c->behind, key, &c->behind_key, &c->behind_value));
    if (!err && after && c->behind_key.size && slice_equal(c->behind_key, key))
        err = behind_answer(c, store_cursor_next(c->behind, &c->behind_key, &c->behind_value));
    return err;
}

static void layer_seek(struct journal_cursor *c, unsigned i, struct slice key, bool after)
{
    struct index *x = layer(c, i);
    c->rows[i] = x ? index_seek(x, key, after, &c->at[i]) : NULL;
    c->stamps[i] = x ? x->stamp : 0;
}

/* All layers to their first row with a key >= `key`, or > if `after`. */
static int stand(struct journal_cursor *c, struct slice key, bool after)
{
    for (unsigned i = 0; i < LAYER_BEHIND; i++)
        layer_seek(c, i, key, after);
    int err = behind_seek(c, key, after);
    c->ahead = !err;
    return err;
}

/* Those that stand at this key move on behind it. */
static int pass(struct journal_cursor *c, struct slice key)
{
    for (unsigned i = 0; i < LAYER_BEHIND; i++) {
        if (c->rows[i] && slice_equal(row_key(c->rows[i]), key))
            c->rows[i] = index_next(&c->at[i]);
    }
    if (!c->behind_key.size || !slice_equal(c->behind_key, key))
        return 0;
    return behind_answer(c, store_cursor_next(c->behind, &c->behind_key, &c->behind_value));
}

/* The layer with the least key, the first of several; LAYERS: all are at their end. */
static unsigned least(const struct journal_cursor *c, struct slice *ret_key)
{
    unsigned found = LAYERS;
    for (unsigned i = 0; i < LAYER_BEHIND; i++) {
        if (c->rows[i] && (found == LAYERS || slice_compare(row_key(c->rows[i]), *ret_key) < 0)) {
            *ret_key = row_key(c->rows[i]);
            found = i;
        }
    }
    if (c->behind_key.size && (found == LAYERS || slice_compare(c->behind_key, *ret_key) < 0)) {
        *ret_key = c->behind_key;
        found = LAYER_BEHIND;
    }
    return found;
}

static int value_of(const struct journal_cursor *c, unsigned layer, struct slice key, struct slice *ret)
{
    *ret = layer == LAYER_BEHIND ? c->behind_value : row_value(c->rows[layer]);
    return layer == LAYER_BEHIND ? journal_value(journal_store_of(c->base.store), c->table, key, ret, NULL)
                                 : 0;
}

/* From where the layers stand to the first row that is not hidden; `from` is where the walk began. */
static int settle(struct journal_cursor *c, struct slice from, struct slice *ret_key, struct slice *ret_value)
{
    struct holes *holes = &journal_store_of(c->base.store)->holes[c->table];
    struct slice key = {0};
    unsigned hidden = 0, found;
    int err = 0;
    uint8_t begin[STORE_KEY_BYTES_MAX];
    memcpy(begin, from.data, from.size);
    while ((found = least(c, &key)) < LAYER_BEHIND && row_deleted(c->rows[found])) {
        hidden++;
        err = pass(c, key);
        if (err)
            return err;
    }
    if (hidden >= HOLE_ROWS)
        holes_add(holes, (struct slice){begin, from.size}, found == LAYERS ? (struct slice){0} : key);
    if (found == LAYERS)
        return SHUNT_NOT_FOUND;
    *ret_key = key;
    place(c, key);
    return value_of(c, found, key, ret_value);
}

/* ---- moves ---- */

int journal_cursor_seek(struct store_cursor *base, struct slice key, struct slice *ret_key,
                        struct slice *ret_value)
{
    struct journal_cursor *c = (struct journal_cursor *)base;
    const struct journal_store *s = journal_store_of(base->store);
    if (c->txn->failed)
        return c->txn->failed;
    if (key.size < 1 || key.size > STORE_KEY_BYTES_MAX)
        return SHUNT_BAD_ARGUMENT;
    struct slice begin = s->holes[c->table].count ? holes_skip(&s->holes[c->table], key) : key;
    int err = begin.size ? stand(c, begin, false) : SHUNT_NOT_FOUND;
    if (!err)
        err = settle(c, begin, ret_key, ret_value);
    if (err == SHUNT_NOT_FOUND) {
        place(c, key);
        c->ahead = false;
    }
    return fail(c, err);
}

/* The layers may have changed since the last move, which ended at the cursor's key: those that have are searched, the others stand
 * at it or behind it. */
static int catch_up(struct journal_cursor *c)
{
    struct slice key = place_of(c);
    if (!c->ahead)
        return stand(c, key, true);
    for (unsigned i = 0; i < LAYER_BEHIND; i++) {
        const struct index *x = layer(c, i);
        if (x && c->stamps[i] != x->stamp)
            layer_seek(c, i, key, true);
        else if (x && c->rows[i]) /* another row may have taken its place */
            c->rows[i] = index_at_row(&c->at[i]);
    }
    return pass(c, key);
}

int journal_cursor_next(struct store_cursor *base, struct slice *ret_key, struct slice *ret_value)
{
    struct journal_cursor *c = (struct journal_cursor *)base;
    struct slice from = {"", 1};
    if (c->txn->failed)
        return c->txn->failed;
    int err = c->placed ? catch_up(c) : stand(c, from, false);
    if (c->placed)
        from = place_of(c);
    uint8_t first[STORE_KEY_BYTES_MAX];
    if (!err && c->placed) { /* a hole begins behind the cursor's key, and that it cannot say */
        struct slice key = {0};
        if (least(c, &key) < LAYERS) {
            memcpy(first, key.data, key.size);
            from = (struct slice){first, key.size};
        }
    }
    if (!err)
        err = settle(c, from, ret_key, ret_value);
    if (err == SHUNT_NOT_FOUND)
        c->ahead = false; /* the layers have moved on, the cursor stays */
    return fail(c, err);
}

/* The last row before `key` (no bytes: of all) in each layer, and of those the greatest, the first of several. */
static int before(struct journal_cursor *c, struct slice key, unsigned *ret_layer, struct slice *ret_key)
{
    int err = behind_open(c);
    if (err)
        return err;
    *ret_layer = LAYERS;
    for (unsigned i = 0; i < LAYER_BEHIND; i++) {
        struct index *x = layer(c, i);
        c->rows[i] = x ? index_seek_before(x, key, &c->at[i]) : NULL;
        if (c->rows[i] && (*ret_layer == LAYERS || slice_compare(row_key(c->rows[i]), *ret_key) > 0)) {
            *ret_key = row_key(c->rows[i]);
            *ret_layer = i;
        }
    }
    struct slice ignored_key, ignored_value;
    if (key.size)
        err = store_cursor_seek(c->behind, key, &ignored_key, &ignored_value);
    if (!err || err == SHUNT_NOT_FOUND)
        err = behind_answer(c, store_cursor_prev(c->behind, &c->behind_key, &c->behind_value));
    if (!err && c->behind_key.size && (*ret_layer == LAYERS || slice_compare(c->behind_key, *ret_key) > 0)) {
        *ret_key = c->behind_key;
        *ret_layer = LAYER_BEHIND;
    }
    return err;
}

int journal_cursor_prev(struct store_cursor *base, struct slice *ret_key, struct slice *ret_value)
{
    struct journal_cursor *c = (struct journal_cursor *)base;
    uint8_t at[STORE_KEY_BYTES_MAX];
    struct slice from = {at, c->placed ? c->key_size : 0}, key = {0};
    unsigned found;
    if (c->txn->failed)
        return c->txn->failed;
    memcpy(at, c->key, from.size);
    c->ahead = false;
    if (!from.size && c->behind) { /* it stood at the end of a walk; its prev() is to begin at the last row */
        store_cursor_close(c->behind);
        c->behind = NULL;
    }
    for (;;) {
        int err = before(c, from, &found, &key);
        if (err)
            return fail(c, err);
        if (found == LAYERS)
            return SHUNT_NOT_FOUND;
        if (found == LAYER_BEHIND || !row_deleted(c->rows[found]))
            break;
        memcpy(at, key.data, key.size);
        from.size = key.size;
    }
    *ret_key = key;
    place(c, key);
    return fail(c, value_of(c, found, key, ret_value));
}

int journal_cursor_del(struct store_cursor *base)
{
    struct journal_cursor *c = (struct journal_cursor *)base;
    if (c->txn->failed)
        return c->txn->failed;
    return c->placed ? journal_del(&c->txn->base, c->table, place_of(c), NULL) : SHUNT_NOT_FOUND;
}
