/* index: see index.h. */
#include "broker/journal/index.h"
#include "base/big_endian.h"
#include "base/slice.h"

#define DEPTH_MAX  12 /* of 64^12 rows */
#define WORD_BYTES 8u

/* No key of the leaf, now or later, is less than that of `bound`; and all are less than the next leaf's. NULL: no bound. */
struct index_leaf {
    struct index_leaf *prev, *next;
    const struct row *bound;
    unsigned count;
    struct row *rows[INDEX_FAN];
};

/* The keys below children[i] are at least that of bounds[i]; of the first, whatever the node above says. */
struct index_inner {
    struct index_inner *next; /* of the spare ones */
    unsigned count;
    const struct row *bounds[INDEX_FAN];
    void *children[INDEX_FAN];
};

/* The way from the root to a leaf: the inner nodes, and which child of each. */
struct path {
    struct index_inner *nodes[DEPTH_MAX];
    unsigned at[DEPTH_MAX];
};

/* Most keys are of 8 to 16 bytes, and of one size in a table: then the words at the beginning and at the end, which may overlap, say as
 * much as all the bytes, without a call. */
static inline int order(const struct row *r, struct slice key)
{
    const uint8_t *bytes = key.data;
    if (r->key_size != key.size || key.size < WORD_BYTES || key.size > 2 * WORD_BYTES)
        return slice_compare(row_key(r), key);
    uint64_t a = get_be64(r->bytes), b = get_be64(bytes);
    if (a == b) {
        a = get_be64(r->bytes + key.size - WORD_BYTES);
        b = get_be64(bytes + key.size - WORD_BYTES);
    }
    return (a > b) - (a < b);
}

/* ---- nodes ---- */

static struct index_leaf *leaf_new(struct index *x)
{
    struct index_leaf *leaf = x->spare_leaf;
    if (leaf)
        x->spare_leaf = leaf->next;
    else
        leaf = arena_room(x->arena, sizeof *leaf);
    if (leaf) {
        leaf->prev = leaf->next = NULL;
        leaf->bound = NULL;
        leaf->count = 0;
    }
    return leaf;
}

static void leaf_drop(struct index *x, struct index_leaf *leaf)
{
    leaf->next = x->spare_leaf;
    x->spare_leaf = leaf;
}

static struct index_inner *inner_new(struct index *x)
{
    struct index_inner *inner = x->spare_inner;
    if (inner)
        x->spare_inner = inner->next;
    else
        inner = arena_room(x->arena, sizeof *inner);
    if (inner)
        inner->count = 0;
    return inner;
}

static void inner_drop(struct index *x, struct index_inner *inner)
{
    inner->next = x->spare_inner;
    x->spare_inner = inner;
}

void index_init(struct index *x, struct arena *arena)
{
    *x = (struct index){.arena = arena, .stamp = x->stamp + 1};
}

/* ---- searching ---- */

/* How many rows of the leaf have keys that are less. */
static unsigned leaf_place(const struct index_leaf *leaf, struct slice key)
{
    unsigned low = 0, high = leaf->count;
    if (high && order(leaf->rows[high - 1], key) < 0)
        return high;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (order(leaf->rows[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The child below which the key is, if it is anywhere. */
static unsigned inner_place(const struct index_inner *inner, struct slice key)
{
    unsigned low = 1, high = inner->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (order(inner->bounds[middle], key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

static struct index_leaf *descend(struct index *x, struct slice key, struct path *p)
{
    void *node = x->root;
    for (unsigned d = 0; d < x->depth; d++) {
        p->nodes[d] = node;
        p->at[d] = inner_place(node, key);
        node = p->nodes[d]->children[p->at[d]];
    }
    return x->used = node;
}

static bool covers(const struct index_leaf *leaf, struct slice key)
{
    return (!leaf->bound || order(leaf->bound, key) <= 0) &&
           (!leaf->next || order(leaf->next->bound, key) > 0);
}

/* The leaf for a key; NULL: the index is empty. */
static struct index_leaf *leaf_for(struct index *x, struct slice key)
{
    struct path p;
    if (!x->root)
        return NULL;
    return covers(x->used, key) ? x->used : descend(x, key, &p);
}

struct row *index_find(struct index *x, struct slice key)
{
    const struct index_leaf *leaf = leaf_for(x, key);
    unsigned i = leaf ? leaf_place(leaf, key) : 0;
    return leaf && i < leaf->count && order(leaf->rows[i], key) == 0 ? leaf->rows[i] : NULL;
}

/* ---- putting in ---- */

static void leaf_link_after(struct index *x, struct index_leaf *leaf, struct index_leaf *more)
{
    more->prev = leaf;
    more->next = leaf->next;
    if (leaf->next)
        leaf->next->prev = more;
    else
        x->last = more;
    leaf->next = more;
}

static void inner_insert(struct index_inner *inner, unsigned at, const struct row *bound, void *child)
{
    memmove(inner->bounds + at + 1, inner->bounds + at, (inner->count - at) * sizeof *inner->bounds);
    memmove(inner->children + at + 1, inner->children + at, (inner->count - at) * sizeof *inner->children);
    inner->bounds[at] = bound;
    inner->children[at] = child;
    inner->count++;
}

/* How many nodes the split of a leaf needs above it. */
static unsigned inners_needed(const struct index *x, const struct path *p)
{
    unsigned full = 0;
    while (full < x->depth && p->nodes[x->depth - 1 - full]->count == INDEX_FAN)
        full++;
    return full == x->depth ? full + 1 : full;
}

/* A new node beside the one that the path ends with; above it, full nodes are split in two, or, where keys are appended, left as
 * they are. `spare` has as many as are needed. */
static void insert_above(struct index *x, const struct path *p, const struct row *bound, void *child,
                         struct index_inner *spare)
{
    for (unsigned d = x->depth; d-- > 0;) {
        struct index_inner *inner = p->nodes[d], *more = spare;
        unsigned at = p->at[d] + 1;
        if (inner->count < INDEX_FAN) {
            inner_insert(inner, at, bound, child);
            return;
        }
        spare = spare->next;
        unsigned kept = at == INDEX_FAN ? INDEX_FAN : INDEX_FAN / 2;
        more->count = INDEX_FAN - kept;
        memcpy(more->bounds, inner->bounds + kept, more->count * sizeof *more->bounds);
        memcpy(more->children, inner->children + kept, more->count * sizeof *more->children);
        inner->count = kept;
        if (at > kept || kept == INDEX_FAN)
            inner_insert(more, at - kept, bound, child);
        else
            inner_insert(inner, at, bound, child);
        bound = more->bounds[0];
        child = more;
    }
    spare->count = 0;
    inner_insert(spare, 0, NULL, x->root);
    inner_insert(spare, 1, bound, child);
    x->root = spare;
    x->depth++;
}

/* Split the full leaf at the end of the path, where a row is to come in at `at`. fails: NO_MEMORY */
static int split(struct index *x, const struct path *p, struct index_leaf *leaf, unsigned at, struct row *row)
{
    struct index_inner *spare = NULL;
    struct index_leaf *more = leaf_new(x);
    for (unsigned left = more ? inners_needed(x, p) : 0; left; left--) {
        struct index_inner *inner = inner_new(x);
        if (!inner) {
            leaf_drop(x, more);
            more = NULL;
            break;
        }
        inner->next = spare;
        spare = inner;
    }
    if (!more) {
        while (spare) {
            struct index_inner *next = spare->next;
            inner_drop(x, spare);
            spare = next;
        }
        return SHUNT_NO_MEMORY;
    }
    /* Keys that come in order fill leaves to the brim. */
    unsigned kept = at == leaf->count ? leaf->count : leaf->count / 2;
    more->count = leaf->count - kept;
    memcpy(more->rows, leaf->rows + kept, more->count * sizeof *more->rows);
    leaf->count = kept;
    more->bound = more->count ? more->rows[0] : row;
    leaf_link_after(x, leaf, more);
    insert_above(x, p, more->bound, more, spare);
    return 0;
}

static void leaf_insert(struct index *x, struct index_leaf *leaf, unsigned at, struct row *row)
{
    memmove(leaf->rows + at + 1, leaf->rows + at, (leaf->count - at) * sizeof *leaf->rows);
    leaf->rows[at] = row;
    leaf->count++;
    x->used = leaf;
    x->count++;
    x->stamp++;
}

int index_set(struct index *x, struct row *row, struct row **ret_old)
{
    struct slice key = row_key(row);
    *ret_old = NULL;
    if (!x->root) {
        x->root = x->last = x->used = leaf_new(x);
        if (!x->root)
            return SHUNT_NO_MEMORY;
    }
    struct index_leaf *leaf = leaf_for(x, key);
    unsigned at = leaf_place(leaf, key);
    if (at < leaf->count && order(leaf->rows[at], key) == 0) {
        *ret_old = leaf->rows[at];
        leaf->rows[at] = row;
        return 0;
    }
    if (leaf->count == INDEX_FAN) {
        struct path p;
        (void)descend(x, key, &p);
        int err = split(x, &p, leaf, at, row);
        if (err)
            return err;
        if (at >= leaf->count && leaf->next->bound && order(leaf->next->bound, key) <= 0) {
            at -= leaf->count;
            leaf = leaf->next;
        }
    }
    leaf_insert(x, leaf, at, row);
    return 0;
}

/* ---- taking out ---- */

/* An empty leaf leaves the tree, with the nodes above that have no other child. What was its range is then that of the leaf before
 * it; or of the one behind it, where that is the first below the node where the way ends. */
static void leaf_remove(struct index *x, struct index_leaf *leaf, const struct path *p)
{
    unsigned d = x->depth;
    while (d > 0 && p->nodes[d - 1]->count == 1)
        inner_drop(x, p->nodes[--d]);
    if (d == 0) { /* the last leaf: it stays as the root */
        x->root = leaf;
        x->depth = 0;
        leaf->bound = NULL;
        return;
    }
    struct index_inner *inner = p->nodes[d - 1];
    unsigned at = p->at[d - 1];
    if (at == 0)
        leaf->next->bound = leaf->bound;
    inner->count--;
    memmove(inner->bounds + at, inner->bounds + at + 1, (inner->count - at) * sizeof *inner->bounds);
    memmove(inner->children + at, inner->children + at + 1, (inner->count - at) * sizeof *inner->children);
    if (leaf->prev)
        leaf->prev->next = leaf->next;
    if (leaf->next)
        leaf->next->prev = leaf->prev;
    else
        x->last = leaf->prev;
    x->used = leaf->next ? leaf->next : leaf->prev;
    leaf_drop(x, leaf);
}

struct row *index_remove(struct index *x, struct slice key)
{
    struct index_leaf *leaf = leaf_for(x, key);
    unsigned at = leaf ? leaf_place(leaf, key) : 0;
    if (!leaf || at == leaf->count || order(leaf->rows[at], key) != 0)
        return NULL;
    struct row *row = leaf->rows[at];
    leaf->count--;
    memmove(leaf->rows + at, leaf->rows + at + 1, (leaf->count - at) * sizeof *leaf->rows);
    x->used = leaf;
    x->count--;
    x->stamp++;
    if (!leaf->count) {
        struct path p;
        (void)descend(x, key, &p);
        leaf_remove(x, leaf, &p);
    }
    return row;
}

/* ---- places ---- */

struct row *index_seek(struct index *x, struct slice key, bool after, struct index_at *ret)
{
    struct index_leaf *leaf = leaf_for(x, key);
    unsigned at = leaf ? leaf_place(leaf, key) : 0;
    if (leaf && after && at < leaf->count && order(leaf->rows[at], key) == 0)
        at++;
    if (leaf && at == leaf->count) { /* but for the root, none is empty */
        leaf = leaf->next;
        at = 0;
    }
    *ret = (struct index_at){leaf, at};
    return leaf && at < leaf->count ? leaf->rows[at] : NULL;
}

struct row *index_seek_before(struct index *x, struct slice key, struct index_at *ret)
{
    struct index_leaf *leaf = key.size ? leaf_for(x, key) : x->last;
    unsigned at = !leaf ? 0 : key.size ? leaf_place(leaf, key) : leaf->count;
    if (leaf && at == 0) {
        leaf = leaf->prev;
        at = leaf ? leaf->count : 0;
    }
    *ret = (struct index_at){leaf, at - 1};
    return leaf && at ? leaf->rows[at - 1] : NULL;
}

struct row *index_first(const struct index *x, struct index_at *ret)
{
    void *node = x->root;
    for (unsigned d = 0; d < x->depth; d++)
        node = ((struct index_inner *)node)->children[0];
    *ret = (struct index_at){node, 0};
    return node && ret->leaf->count ? ret->leaf->rows[0] : NULL;
}

struct row *index_next(struct index_at *at)
{
    if (at->i + 1 < at->leaf->count)
        return at->leaf->rows[++at->i];
    if (!at->leaf->next)
        return NULL;
    *at = (struct index_at){at->leaf->next, 0};
    return at->leaf->rows[0];
}

struct row *index_at_row(const struct index_at *at)
{
    return at->leaf->rows[at->i];
}
