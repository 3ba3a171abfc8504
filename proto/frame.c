/* frame: finding whole, validated frames in a stream, and writing them. */
#include "proto/frame.h"

#include "proto/limits.h"

static enum frame_state bad(const char **ret_why, const char *why);

enum frame_state frame_next(const void *bytes, size_t size, size_t payload_max, struct slice *ret_payload,
                            size_t *ret_need, const char **ret_why)
{
    const uint8_t *at = bytes;
    if (size < FRAME_HEADER_BYTES) {
        *ret_need = FRAME_HEADER_BYTES;
        return FRAME_PARTIAL;
    }
    size_t length = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
    if (length > payload_max)
        return bad(ret_why, "the frame is longer than allowed");
    if (size - FRAME_HEADER_BYTES < length) {
        *ret_need = FRAME_HEADER_BYTES + length;
        return FRAME_PARTIAL;
    }
    const uint8_t *payload = at + FRAME_HEADER_BYTES;
    if (!mpack_check(payload, length, FRAME_DEPTH_MAX)) {
        return bad(ret_why,
                   "the payload is not one msgpack value within the limits, whose maps have str keys");
    }

    struct mpack_reader r;
    mpack_read_init(&r, payload, length);
    if (mpack_read_array(&r) < 2)
        return bad(ret_why, "the payload is not an array of at least two elements");
    (void)mpack_read_uint(&r); /* the types alone matter here: the caller reads the values */
    (void)mpack_read_uint(&r);
    if (r.failed)
        return bad(ret_why, "operation and request id are not unsigned integers");
    *ret_payload = (struct slice){payload, length};
    return FRAME_WHOLE;
}

size_t frame_begin(struct mpack_buffer *b, unsigned op, uint64_t request_id, uint32_t fields)
{
    static const uint8_t no_length_yet[FRAME_HEADER_BYTES];
    size_t offset = b->size;
    mpack_write_raw(b, no_length_yet, sizeof no_length_yet);
    mpack_write_array(b, 2 + fields);
    mpack_write_uint(b, op);
    mpack_write_uint(b, request_id);
    return offset;
}

void frame_end(struct mpack_buffer *b, size_t offset)
{
    if (b->failed)
        return;
    size_t length = b->size - offset - FRAME_HEADER_BYTES;
    if (length > UINT32_MAX) {
        b->failed = true;
        return;
    }
    uint8_t *at = b->data + offset;
    at[0] = (uint8_t)(length >> 24);
    at[1] = (uint8_t)(length >> 16);
    at[2] = (uint8_t)(length >> 8);
    at[3] = (uint8_t)length;
}

static enum frame_state bad(const char **ret_why, const char *why)
{
    *ret_why = why;
    return FRAME_BAD;
}
