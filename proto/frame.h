/* frame: the length-prefixed unit on the wire. 4 bytes big-endian payload length, then one msgpack array. */
#ifndef SHUNT_PROTO_FRAME_H
#define SHUNT_PROTO_FRAME_H

#include "proto/mpack.h"

enum frame_state {
    FRAME_WHOLE,   /* a complete, validated frame is there */
    FRAME_PARTIAL, /* more bytes are needed */
    FRAME_BAD,     /* not a frame: too long, not msgpack, not an array that starts with two integers */
};

/* Look at the bytes of a stream from the start of a frame.
 * in:   `payload_max` the largest payload accepted (bytes).
 * out:  WHOLE: `ret_payload` is the payload inside `bytes`, validated with mpack_check() to FRAME_DEPTH_MAX, and begins
 *       with an array header and two unsigned integers (op, request id).
 *       PARTIAL: `ret_need` is how many bytes from `bytes` on the frame takes (FRAME_HEADER_BYTES while unknown).
 *       BAD: `ret_why` is a static sentence. A payload over the limit is BAD as soon as its 4 length bytes are there. */
enum frame_state frame_next(const void *bytes, size_t size, size_t payload_max, struct slice *ret_payload,
                            size_t *ret_need, const char **ret_why);

/* Open a frame at the end of `b` and write `[op, request_id, ...`: `fields` is the number of fields after these two.
 * Returns the offset for frame_end(), which fills in the length. */
size_t frame_begin(struct mpack_buffer *b, unsigned op, uint64_t request_id, uint32_t fields);
void frame_end(struct mpack_buffer *b, size_t offset);

#endif
