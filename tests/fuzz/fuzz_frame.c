/* fuzz_frame: any bytes as a stream of frames. What passes is walked, written again and must still be the
 * same. */
#include "proto/frame.h"
#include "proto/limits.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

/* Copy one value from reader to writer. The validator bounds the depth, and so this recursion. */
static void copy_value(struct mpack_reader *r, struct mpack_buffer *b, unsigned depth)
{
    struct mpack_reader before = *r;
    uint32_t count;
    MUST(depth <= FRAME_DEPTH_MAX);
    switch (mpack_peek(r)) {
    case MPACK_NIL:
        mpack_read_nil(r);
        mpack_write_nil(b);
        break;
    case MPACK_BOOL:
        mpack_write_bool(b, mpack_read_bool(r));
        break;
    case MPACK_INT: {
        uint64_t number = mpack_read_uint(r);
        if (!r->failed) {
            mpack_write_uint(b, number);
            break;
        }
        *r = before;
        int64_t negative = mpack_read_int(r);
        MUST(negative < 0);
        mpack_write_int(b, negative);
        break;
    }
    case MPACK_FLOAT: {
        struct slice any = mpack_read_any(r);
        mpack_write_raw(b, any.data, any.size);
        break;
    }
    case MPACK_STR: {
        struct slice text = mpack_read_str(r);
        mpack_write_str(b, text.data, text.size);
        break;
    }
    case MPACK_BIN: {
        struct slice bytes = mpack_read_bin(r);
        mpack_write_bin(b, bytes.data, bytes.size);
        break;
    }
    case MPACK_ARRAY:
        count = mpack_read_array(r);
        mpack_write_array(b, count);
        for (uint32_t i = 0; i < count; i++)
            copy_value(r, b, depth + 1);
        break;
    case MPACK_MAP:
        count = mpack_read_map(r);
        mpack_write_map(b, count);
        for (uint32_t i = 0; i < count; i++) {
            copy_value(r, b, depth + 1);
            copy_value(r, b, depth + 1);
        }
        break;
    case MPACK_END:
        abort();
    }
    MUST(!r->failed);
}

static void walk(struct slice payload)
{
    struct mpack_buffer first = {0}, second = {0};
    struct mpack_reader r;
    mpack_read_init(&r, payload.data, payload.size);
    copy_value(&r, &first, 0);
    MUST(r.at == r.end && !first.failed && first.size <= payload.size);
    mpack_read_init(&r, payload.data, payload.size);
    MUST(mpack_read_any(&r).size == payload.size);

    /* The shortest form is read as the same values, and written again it does not change. */
    MUST(mpack_check(first.data, first.size, FRAME_DEPTH_MAX));
    mpack_read_init(&r, first.data, first.size);
    copy_value(&r, &second, 0);
    MUST(second.size == first.size && memcmp(first.data, second.data, first.size) == 0);
    mpack_buffer_done(&first);
    mpack_buffer_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t payload_max = 4096;
    for (;;) {
        struct slice payload;
        size_t need = 0;
        const char *why = NULL;
        enum frame_state state = frame_next(data, size, payload_max, &payload, &need, &why);
        if (state == FRAME_PARTIAL) {
            MUST(need > size && need <= FRAME_HEADER_BYTES + payload_max);
            return 0;
        }
        if (state == FRAME_BAD) {
            MUST(why);
            return 0;
        }
        MUST(payload.data == data + FRAME_HEADER_BYTES && payload.size <= size - FRAME_HEADER_BYTES);
        walk(payload);
        data += FRAME_HEADER_BYTES + payload.size;
        size -= FRAME_HEADER_BYTES + payload.size;
    }
}
