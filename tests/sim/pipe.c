/* pipe: bytes on their way in one direction. */
#include "tests/sim/sim.h"

#include <string.h>

size_t pipe_size(const struct pipe *p)
{
    return p->bytes.size - p->read;
}

void pipe_put(struct pipe *p, const void *bytes, size_t size)
{
    if (p->read == p->bytes.size)
        p->read = p->bytes.size = 0;
    mpack_write_raw(&p->bytes, bytes, size);
}

const uint8_t *pipe_peek(const struct pipe *p)
{
    return p->bytes.data + p->read;
}

void pipe_take(struct pipe *p, size_t size)
{
    p->read += size;
    if (p->read > 65536 && p->read * 2 > p->bytes.size) {
        memmove(p->bytes.data, p->bytes.data + p->read, pipe_size(p));
        p->bytes.size -= p->read;
        p->read = 0;
    }
}

void pipe_done(struct pipe *p)
{
    mpack_buffer_done(&p->bytes);
    p->read = 0;
}
