/* arena: bump allocation in blocks. */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (64 * 1024)

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    max_align_t bytes[];
};

static struct arena_block *block_new(struct arena *a, size_t size)
{
    struct arena_block *block = malloc(sizeof *block + size);
    if (!block)
        return NULL;
    block->size = size;
    a->bytes += size;
    block->used = 0;
    block->next = a->blocks;
    a->blocks = block;
    return block;
}

void *arena_room(struct arena *a, size_t bytes)
{
    size_t size = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct arena_block *block = a->blocks;
    if (!block || block->size - block->used < size) {
        block = block_new(a, size > BLOCK_BYTES ? size : BLOCK_BYTES);
        if (!block)
            return NULL;
    }
    void *taken = (char *)block->bytes + block->used;
    block->used += size;
    return taken;
}

void *arena_take(struct arena *a, size_t bytes)
{
    void *taken = arena_room(a, bytes);
    return taken ? memset(taken, 0, bytes) : NULL;
}

void arena_reset(struct arena *a)
{
    struct arena_block *keep = NULL;
    while (a->blocks) {
        struct arena_block *block = a->blocks;
        a->blocks = block->next;
        if (!keep && block->size == BLOCK_BYTES) {
            keep = block;
            continue;
        }
        free(block);
    }
    a->bytes = 0;
    if (keep) {
        a->bytes = keep->size;
        keep->used = 0;
        keep->next = NULL;
        a->blocks = keep;
    }
}

void arena_done(struct arena *a)
{
    arena_reset(a);
    free(a->blocks);
    a->blocks = NULL;
}
