/* mpack_check: the validator every frame passes before anything else looks at it.
 *
 * One loop with a small stack of "values still to come", one entry for each open array or map. Each count is
 * compared with the bytes that are left before it is believed (a value takes at least one byte), so five
 * bytes that announce two thousand million elements end here. A map's keys must be str: fields that the
 * server only passes on reach receivers whose languages cannot have another kind as a key. */
#include "proto/mpack_head.h"

enum { DEPTH_LIMIT = 32 };

static bool is_str(uint8_t lead)
{
    return (lead & 0xe0) == 0xa0 || (lead >= 0xd9 && lead <= 0xdb);
}

bool mpack_check(const void *bytes, size_t size, unsigned depth_max)
{
    const uint8_t *at = bytes;
    size_t left = size;
    uint64_t open[DEPTH_LIMIT + 1]; /* values still to come in the outer levels */
    uint64_t here = 1;              /* and in this one */
    uint64_t maps = 0;              /* a bit for each level, the lowest for this one: it is a map */
    unsigned depth = 0;

    if (depth_max > DEPTH_LIMIT)
        depth_max = DEPTH_LIMIT;
    for (;;) {
        while (here == 0) {
            if (depth == 0)
                return left == 0;
            here = open[--depth];
            maps >>= 1;
        }
        bool key = (maps & 1) && here % 2 == 0;
        if (key && !(left && is_str(*at)))
            return false;
        struct mpack_head head = head_read(at, left);
        at += head.size;
        left -= head.size;
        here--;
        switch (head.kind) {
        case HEAD_BAD:
            return false;
        case HEAD_SCALAR:
            break;
        case HEAD_BYTES:
            if (head.count > left)
                return false;
            at += head.count;
            left -= head.count;
            break;
        case HEAD_ARRAY:
        case HEAD_MAP: {
            uint64_t values = head.kind == HEAD_MAP ? 2 * (uint64_t)head.count : head.count;
            if (depth == depth_max || values > left)
                return false;
            open[depth++] = here;
            here = values;
            maps = maps << 1 | (head.kind == HEAD_MAP);
            break;
        }
        }
    }
}
