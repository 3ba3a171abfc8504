/* value: a tree in one block: first all nodes, the root in front, children of a node side by side; then all
 * texts, each terminated. One pass counts, a second one fills in. */
#include "client/wire/value.h"

#include "client/wire/keep.h"
#include <stdlib.h>
#include <string.h>

struct shunt_value {
    enum shunt_type type;
    size_t count;    /* LIST, MAP: children; TEXT, BYTES: bytes */
    const char *key; /* name in the MAP that holds it */
    union {
        int64_t integer;
        const char *text;
        struct shunt_value *children;
    } as;
};

struct room {
    size_t nodes;
    size_t text_bytes;
};

/* Add up what the value at `r` takes, itself included. Depth is bounded by the validator. */
static void measure(struct mpack_reader *r, struct room *room)
{
    enum mpack_type type = mpack_peek(r);
    room->nodes++;
    if (type == MPACK_STR || type == MPACK_BIN) {
        room->text_bytes += mpack_read_text_or_bin(r).size + 1;
    } else if (type == MPACK_ARRAY) {
        uint32_t count = mpack_read_array(r);
        for (uint32_t i = 0; i < count && !r->failed; i++)
            measure(r, room);
    } else if (type == MPACK_MAP) {
        uint32_t count = mpack_read_map(r);
        for (uint32_t i = 0; i < count && !r->failed; i++) {
            room->text_bytes += mpack_read_str(r).size + 1;
            measure(r, room);
        }
    } else {
        (void)mpack_read_any(r); /* only its length matters here */
    }
}

struct builder {
    struct mpack_reader r;
    struct shunt_value *nodes; /* the next free */
    char *text;                /* the next free */
};

static const char *keep_text(struct builder *b, struct slice text)
{
    char *to = b->text;
    if (text.size > 0)
        memcpy(to, text.data, text.size);
    to[text.size] = '\0';
    b->text += text.size + 1;
    return to;
}

static int64_t read_integer(struct mpack_reader *r)
{
    struct mpack_reader ahead = *r;
    uint64_t positive = mpack_read_uint(&ahead);
    if (ahead.failed)
        return mpack_read_int(r);
    *r = ahead;
    return positive > INT64_MAX ? INT64_MAX : (int64_t)positive;
}

static void fill(struct builder *b, struct shunt_value *v);

static void fill_children(struct builder *b, struct shunt_value *v, uint32_t count)
{
    v->count = count;
    v->as.children = b->nodes;
    b->nodes += count;
    for (uint32_t i = 0; i < count && !b->r.failed; i++) {
        struct shunt_value *child = &v->as.children[i];
        if (v->type == SHUNT_MAP)
            child->key = keep_text(b, mpack_read_str(&b->r));
        fill(b, child);
    }
}

static void fill(struct builder *b, struct shunt_value *v)
{
    switch (mpack_peek(&b->r)) {
    case MPACK_BOOL:
        v->type = SHUNT_BOOL;
        v->as.integer = mpack_read_bool(&b->r);
        return;
    case MPACK_INT:
        v->type = SHUNT_INTEGER;
        v->as.integer = read_integer(&b->r);
        return;
    case MPACK_STR:
    case MPACK_BIN: {
        v->type = mpack_peek(&b->r) == MPACK_STR ? SHUNT_TEXT : SHUNT_BYTES;
        struct slice text = mpack_read_text_or_bin(&b->r);
        v->count = text.size;
        v->as.text = keep_text(b, text);
        return;
    }
    case MPACK_ARRAY:
        v->type = SHUNT_LIST;
        fill_children(b, v, mpack_read_array(&b->r));
        return;
    case MPACK_MAP:
        v->type = SHUNT_MAP;
        fill_children(b, v, mpack_read_map(&b->r));
        return;
    case MPACK_NIL:
    case MPACK_FLOAT:
    case MPACK_END:
    default:
        v->type = SHUNT_NIL;
        (void)mpack_read_any(&b->r); /* skipped: nothing of it is shown */
    }
}

int value_build(struct slice bytes, struct shunt_value **ret)
{
    struct room room = {0};
    struct mpack_reader r;
    mpack_read_init(&r, bytes.data, bytes.size);
    measure(&r, &room);
    if (r.failed)
        return SHUNT_PROTOCOL;
    struct shunt_value *root = calloc(1, room.nodes * sizeof *root + room.text_bytes);
    if (!root)
        return SHUNT_NO_MEMORY;
    struct builder b = {.nodes = root + 1, .text = (char *)(root + room.nodes)};
    mpack_read_init(&b.r, bytes.data, bytes.size);
    fill(&b, root);
    *ret = root;
    return 0;
}

void shunt_value_free(struct shunt_value *v)
{
    free(v);
}

enum shunt_type shunt_value_type(const struct shunt_value *v)
{
    return v ? v->type : SHUNT_NIL;
}

int64_t shunt_value_integer(const struct shunt_value *v)
{
    enum shunt_type type = shunt_value_type(v);
    return type == SHUNT_INTEGER || type == SHUNT_BOOL ? v->as.integer : 0;
}

const char *shunt_value_text(const struct shunt_value *v, size_t *ret_bytes)
{
    enum shunt_type type = shunt_value_type(v);
    bool text = type == SHUNT_TEXT || type == SHUNT_BYTES;
    if (ret_bytes)
        *ret_bytes = text ? v->count : 0;
    return text ? v->as.text : "";
}

size_t shunt_value_count(const struct shunt_value *v)
{
    enum shunt_type type = shunt_value_type(v);
    return type == SHUNT_LIST || type == SHUNT_MAP ? v->count : 0;
}

const struct shunt_value *shunt_value_at(const struct shunt_value *v, size_t i)
{
    return i < shunt_value_count(v) ? &v->as.children[i] : NULL;
}

const char *shunt_value_key_at(const struct shunt_value *v, size_t i)
{
    const struct shunt_value *child = shunt_value_at(v, i);
    return child ? child->key : NULL;
}

const struct shunt_value *shunt_value_get(const struct shunt_value *v, const char *key)
{
    if (shunt_value_type(v) != SHUNT_MAP)
        return NULL;
    for (size_t i = 0; i < v->count; i++) {
        if (strcmp(v->as.children[i].key, key) == 0)
            return &v->as.children[i];
    }
    return NULL;
}
