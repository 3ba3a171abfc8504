/* arena: memory that is given back as one. */
#ifndef SHUNT_BASE_ARENA_H
#define SHUNT_BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* the newest first */
    size_t bytes;               /* in all of them */
};

/* Zeroed memory for any type; NULL without memory. Lives until arena_reset(). */
void *arena_take(struct arena *a, size_t bytes);
/* The same, not zeroed: for what is written as a whole. */
void *arena_room(struct arena *a, size_t bytes);
/* Give everything back, but keep one block for the next time. */
void arena_reset(struct arena *a);
void arena_done(struct arena *a);

#endif
