/* key_table: the keys of which consumers have messages, in a group that is ordered by key or hands out in fair turns. Each message is
 * found by its number; each key, of which only a hash is kept, with how many messages of it are out.
 */
#ifndef SHUNT_CORE_KEY_TABLE_H
#define SHUNT_CORE_KEY_TABLE_H

#include "broker/core/key_gaps.h"
#include "broker/core/key_turns.h"

struct message_out {
    uint64_t seq, key;
    uint32_t next; /* of the same bucket; KEY_TABLE_END: none */
};

struct key_out {
    uint64_t key;
    uint32_t next;      /* as above */
    uint32_t out : 31;  /* messages of it; at least 1 */
    uint32_t waits : 1; /* there are others that can be handed out: it is among `turns` */
};

#define KEY_TABLE_END   UINT32_MAX
#define KEY_TABLE_LEAST 64u

/* A message takes 24 bytes and a key 16, and each of the two a share of a bucket, of which there are no more than elements. Tables grow by a
 * quarter, and are made smaller when less than three quarters are used: so a message that is out takes at most 64 bytes (beyond
 * the least that there is room for), if each has a key of its own. `turns` has 16 bytes, at most 32, for each key that waits. */
struct key_table {
    struct message_out *messages; /* the first `count` are in use, in any order */
    uint32_t count, capacity;
    uint32_t *by_seq;
    uint32_t seq_buckets; /* a power of two; 0: nothing was put in yet */
    struct key_out *keys; /* the same of keys */
    uint32_t keys_count, keys_capacity;
    uint32_t *by_key;
    uint32_t key_buckets;
    struct key_turns turns;
    struct key_gaps gaps; /* of the group's index by key (order.c) */
    bool no_key;          /* what has no key is here, too (fair.h) */
};

struct key_table *key_table_new(void);    /* NULL without memory */
void key_table_free(struct key_table *t); /* takes NULL */
/* A message is out. fails: NO_MEMORY. in: none has this number. */
int key_table_add(struct key_table *t, uint64_t key, uint64_t seq);
/* False if none with that number is out. ret_key may be NULL. */
bool key_table_find(const struct key_table *t, uint64_t seq, uint64_t *ret_key);
bool key_table_remove(struct key_table *t, uint64_t seq, uint64_t *ret_key);
/* How many messages of the key are out; and whether any is. */
uint32_t key_table_out(const struct key_table *t, uint64_t key);
bool key_table_has(const struct key_table *t, uint64_t key);
/* Of those that are out of a key: how many; of those that were put in when the table had `mark` entries or more, the highest number; and whether one was put in before the table had `mark` entries. in: none
 * has been removed since it had so many. cost: by how many have been put in since */
struct key_run {
    uint32_t count;
    bool older;
    uint64_t highest;
};
void key_table_run(const struct key_table *t, uint64_t key, uint32_t mark, struct key_run *ret);
/* The first one that is out of the key behind that number; false if none is. cost: by all that are out, unless none of the key is */
bool key_table_behind(const struct key_table *t, uint64_t key, uint64_t seq, uint64_t *ret_seq);
/* The first one that is out of the key, by number; false if none is. cost: by all that are out */
bool key_table_first(const struct key_table *t, uint64_t key, uint64_t *ret_seq);
/* Others of the key wait to be handed out, or do not any more. Says nothing of a key that has none out. fails: NO_MEMORY */
int key_table_waits(struct key_table *t, uint64_t key, bool waits);
/* If it is said of the key that others wait. */
bool key_table_is_waiting(const struct key_table *t, uint64_t key);

#endif
