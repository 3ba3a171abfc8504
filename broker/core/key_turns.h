/* key_turns: the keys of a group with fair turns that have messages out and others that wait, sorted by how many are out and then by
 * hash. Whose turn it is follows from what it holds alone, not from how it came about.
 */
#ifndef SHUNT_CORE_KEY_TURNS_H
#define SHUNT_CORE_KEY_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct key_turn {
    uint64_t key;
    uint64_t out; /* how many messages of it */
};

struct key_turns {
    struct key_turn *items;
    size_t count, capacity;
};

void key_turns_done(struct key_turns *t); /* frees the contents */
/* in: it is not there. cost: a search, and a move of what lies behind it. fails: NO_MEMORY */
int key_turns_put(struct key_turns *t, uint64_t key, uint64_t out);
void key_turns_remove(struct key_turns *t, uint64_t key, uint64_t out); /* in: it is there */
/* Of those with the fewest out, the first whose hash is greater than `last`, or else the first of them. False: there is none. */
bool key_turns_next(const struct key_turns *t, uint64_t last, uint64_t *ret_key);

#endif
