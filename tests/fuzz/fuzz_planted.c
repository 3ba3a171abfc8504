/* fuzz_planted: a PUBLISH whose topic begins with a byte that is not ASCII reads one byte too far. The fuzzer
 * must find that from valid frames, none of which has such a topic. One certain byte would be a control by
 * chance: it took the fuzzer between 70,000 and more than ten million inputs. */
#include "proto/frame.h"
#include "proto/wire.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice payload;
    size_t need;
    const char *why;
    if (frame_next(data, size, 4096, &payload, &need, &why) != FRAME_WHOLE)
        return 0;
    struct mpack_reader r;
    mpack_read_init(&r, payload.data, payload.size);
    (void)mpack_read_array(&r);
    if (mpack_read_uint(&r) != OP_PUBLISH)
        return 0;
    (void)mpack_read_uint(&r); /* the id is of no interest */
    struct slice topic = mpack_read_str(&r);
    if (r.failed || topic.size == 0 || *(const uint8_t *)topic.data < 0x80)
        return 0;
    uint8_t *copy = malloc(topic.size);
    MUST(copy);
    memcpy(copy, topic.data, topic.size);
    volatile uint8_t beyond = copy[topic.size];
    (void)beyond;
    free(copy);
    return 0;
}
