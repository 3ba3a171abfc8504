/* fuzz_mpack_peer: any bytes, judged and read by our msgpack and by msgpack-c. Where ours says yes, theirs
 * reads the same value; where theirs reads one value from all the bytes, ours may say no only because of its
 * own rules. */
#include "proto/limits.h"
#include "proto/mpack.h"
#include "tests/fuzz/fuzz.h"
#include <msgpack.h>
#include <string.h>

/* ---- ours says yes ---- */

static void same_bytes(struct slice ours, const char *bytes, uint32_t size)
{
    MUST(ours.size == size && (size == 0 || memcmp(ours.data, bytes, size) == 0));
}

static void same_integer(struct mpack_reader *r, const msgpack_object *o)
{
    if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER) {
        MUST(mpack_read_int(r) == o->via.i64);
    } else {
        MUST(o->type == MSGPACK_OBJECT_POSITIVE_INTEGER);
        MUST(mpack_read_uint(r) == o->via.u64);
    }
}

/* The validator bounds the depth, and so this recursion. */
static void same(struct mpack_reader *r, const msgpack_object *o)
{
    switch (mpack_peek(r)) {
    case MPACK_NIL:
        MUST(o->type == MSGPACK_OBJECT_NIL);
        mpack_read_nil(r);
        break;
    case MPACK_BOOL:
        MUST(o->type == MSGPACK_OBJECT_BOOLEAN && mpack_read_bool(r) == o->via.boolean);
        break;
    case MPACK_INT:
        same_integer(r, o);
        break;
    case MPACK_FLOAT:
        MUST(o->type == MSGPACK_OBJECT_FLOAT32 || o->type == MSGPACK_OBJECT_FLOAT64);
        MUST(mpack_read_any(r).size == (o->type == MSGPACK_OBJECT_FLOAT32 ? 5 : 9));
        break;
    case MPACK_STR:
        MUST(o->type == MSGPACK_OBJECT_STR);
        same_bytes(mpack_read_str(r), o->via.str.ptr, o->via.str.size);
        break;
    case MPACK_BIN:
        MUST(o->type == MSGPACK_OBJECT_BIN);
        same_bytes(mpack_read_bin(r), o->via.bin.ptr, o->via.bin.size);
        break;
    case MPACK_ARRAY:
        MUST(o->type == MSGPACK_OBJECT_ARRAY && mpack_read_array(r) == o->via.array.size);
        for (uint32_t i = 0; i < o->via.array.size; i++)
            same(r, &o->via.array.ptr[i]);
        break;
    case MPACK_MAP:
        MUST(o->type == MSGPACK_OBJECT_MAP && mpack_read_map(r) == o->via.map.size);
        for (uint32_t i = 0; i < o->via.map.size; i++) {
            same(r, &o->via.map.ptr[i].key);
            same(r, &o->via.map.ptr[i].val);
        }
        break;
    case MPACK_END:
        abort();
    }
    MUST(!r->failed);
}

/* ---- theirs says yes ---- */

/* What only our rules forbid: extension types, nesting, and keys that are not str. */
static bool within_our_rules(const msgpack_object *o, unsigned depth)
{
    bool yes = o->type != MSGPACK_OBJECT_EXT;
    if (o->type == MSGPACK_OBJECT_ARRAY) {
        yes = depth < FRAME_DEPTH_MAX;
        for (uint32_t i = 0; yes && i < o->via.array.size; i++)
            yes = within_our_rules(&o->via.array.ptr[i], depth + 1);
    } else if (o->type == MSGPACK_OBJECT_MAP) {
        yes = depth < FRAME_DEPTH_MAX;
        for (uint32_t i = 0; yes && i < o->via.map.size; i++) {
            yes = o->via.map.ptr[i].key.type == MSGPACK_OBJECT_STR &&
                  within_our_rules(&o->via.map.ptr[i].val, depth + 1);
        }
    }
    return yes;
}

/* msgpack-c believes every count it reads, and allocates for it: it must not see large ones. */
static bool may_bomb(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] == 0xdd || data[i] == 0xdf)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool ours = mpack_check(data, size, FRAME_DEPTH_MAX);
    if (!ours && may_bomb(data, size))
        return 0;
    msgpack_unpacked theirs;
    size_t end = 0;
    msgpack_unpacked_init(&theirs);
    bool read = msgpack_unpack_next(&theirs, (const char *)data, size, &end) == MSGPACK_UNPACK_SUCCESS;
    if (ours) {
        struct mpack_reader r;
        mpack_read_init(&r, data, size);
        MUST(read && end == size);
        same(&r, &theirs.data);
        MUST(r.at == r.end);
    } else if (read && end == size) {
        MUST(!within_our_rules(&theirs.data, 0));
    }
    msgpack_unpacked_destroy(&theirs);
    return 0;
}
