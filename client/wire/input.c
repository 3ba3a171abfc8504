/* input: blocks of received bytes. A block nobody else holds is used again; else the part of a frame that has
 * come so far moves to a new one. */
#include "client/wire/input.h"
#include "base/check.h"
#include "proto/limits.h"
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES     (64u * 1024)
#define SPACE_BYTES_MIN (8u * 1024) /* less is not worth a system call */

void block_hold(struct block *b)
{
    check(b->holders > 0);
    b->holders++;
}

void block_drop(struct block *b)
{
    if (!b)
        return;
    check(b->holders > 0);
    if (--b->holders == 0)
        free(b);
}

void input_done(struct input *in)
{
    block_drop(in->block);
    *in = (struct input){0};
}

void input_reset(struct input *in)
{
    input_done(in);
}

static struct block *block_new(size_t capacity)
{
    struct block *b = malloc(sizeof *b + capacity);
    if (!b)
        return NULL;
    b->holders = 1;
    b->size = 0;
    b->capacity = capacity;
    return b;
}

/* Room the block must have from the beginning of the frame on. */
static size_t wanted(const struct input *in, size_t have)
{
    size_t want = have + SPACE_BYTES_MIN;
    return in->need > want ? in->need : want;
}

void *input_space(struct input *in, size_t *ret_size)
{
    struct block *old = in->block;
    size_t have = old ? old->size - in->begin : 0;
    if (old && old->holders == 1 && have == 0)
        old->size = in->begin = 0;
    if (!old || old->capacity - in->begin < wanted(in, have)) {
        size_t capacity = wanted(in, have) > BLOCK_BYTES ? wanted(in, have) : BLOCK_BYTES;
        bool in_place = old && old->holders == 1 && old->capacity >= wanted(in, have);
        struct block *b = in_place ? old : block_new(capacity);
        if (!b)
            return NULL;
        if (have > 0)
            memmove(b->data, old->data + in->begin, have);
        b->size = have;
        if (!in_place)
            block_drop(old);
        in->block = b;
        in->begin = 0;
    }
    *ret_size = in->block->capacity - in->block->size;
    return in->block->data + in->block->size;
}

void input_received(struct input *in, size_t size)
{
    check(in->block && size <= in->block->capacity - in->block->size);
    in->block->size += size;
}

enum frame_state input_next(struct input *in, struct slice *ret_payload, const char **ret_why)
{
    if (!in->block)
        return FRAME_PARTIAL;
    in->need = 0;
    enum frame_state state = frame_next(in->block->data + in->begin, in->block->size - in->begin,
                                        FRAME_BYTES_MAX, ret_payload, &in->need, ret_why);
    if (state == FRAME_WHOLE) {
        in->begin += FRAME_HEADER_BYTES + ret_payload->size;
        in->need = 0;
    }
    return state;
}
