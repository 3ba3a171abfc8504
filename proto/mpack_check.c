/* mpack_check: the validator every frame passes before anything else looks at it.
 *
 * One loop with a small stack of "values still to come", one entry for each open array or map. Each count is
 * compared with the bytes that are left before it is believed (a value takes at least one byte), so five
 * bytes that announce two thousand million elements end here. A map's keys must be str: fields that the
 * server only passes on reach receivers whose languages cannot have another kind as a key. */
#include "proto/mpack_head.h"

enum { DEPTH_LIMIT = 32 };

/* Step over a map's key, which must be a str. */
static bool skip_key(const uint8_t **at, const uint8_t *end)
{
    struct mpack_head head = head_read(*at, (size_t)(end - *at));
    uint8_t lead = head.kind == HEAD_BYTES ? **at : 0;
    bool is_str = (lead & 0xe0) == 0xa0 || (lead >= 0xd9 && lead <= 0xdb);
    if (!is_str || head.count > (size_t)(end - *at) - head.size)
        return false;
    *at += head.size + head.count;
    return true;
}

bool mpack_check(const void *bytes, size_t size, unsigned depth_max)
{
    const uint8_t *at = bytes, *end = at + size;
    int64_t
        open[DEPTH_LIMIT + 1]; /* still to come in the outer levels: values, or of a map pairs, below zero */
    int64_t here = 1;          /* and in this one */
    unsigned depth = 0;

    if (depth_max > DEPTH_LIMIT)
        depth_max = DEPTH_LIMIT;
    for (;;) {
        while (here == 0) {
            if (depth == 0)
                return at == end;
            here = open[--depth];
        }
        if (here > 0) {
            here--;
        } else {
            here++;
            if (!skip_key(&at, end))
                return false;
        }
        if (at == end)
            return false;
        if (*at < 0x80 || *at >= 0xe0) { /* a number in its first byte, which most are */
            at++;
            continue;
        }
        struct mpack_head head = head_read(at, (size_t)(end - at));
        at += head.size;
        switch (head.kind) {
        case HEAD_BAD:
            return false;
        case HEAD_SCALAR:
            break;
        case HEAD_BYTES:
            if (head.count > (size_t)(end - at))
                return false;
            at += head.count;
            break;
        case HEAD_ARRAY:
        case HEAD_MAP: {
            uint64_t values = head.kind == HEAD_MAP ? 2 * (uint64_t)head.count : head.count;
            if (depth == depth_max || values > (size_t)(end - at))
                return false;
            open[depth++] = here;
            here = head.kind == HEAD_MAP ? -(int64_t)head.count : (int64_t)head.count;
            break;
        }
        }
    }
}
