/* key_table: the keys of which a consumer has a message, in a group that is ordered by key. Each entry is one message and is
 * found by its key, of which only a hash is kept, and by its number.
 */
#ifndef SHUNT_CORE_KEY_TABLE_H
#define SHUNT_CORE_KEY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct key_entry {
    uint64_t key, seq;
    uint32_t next_by_key, next_by_seq; /* of the same bucket; KEY_TABLE_END: none */
};

#define KEY_TABLE_END   UINT32_MAX
#define KEY_TABLE_LEAST 64u

/* An entry and its buckets take 32 bytes. The table doubles when it is full and is halved when less than a
 * quarter of it is used; so while it grows an entry costs at most 64 bytes. */
struct key_table {
    struct key_entry *entries; /* the first `count` are in use, in any order */
    uint32_t *by_key, *by_seq; /* buckets: as many as `capacity`, a power of two */
    uint32_t count, capacity;
};

struct key_table *key_table_new(void);    /* NULL without memory */
void key_table_free(struct key_table *t); /* takes NULL */
/* A message is out. fails: NO_MEMORY. in: no entry has this number. */
int key_table_add(struct key_table *t, uint64_t key, uint64_t seq);
/* False if there is no entry with that number. ret_key may be NULL. */
bool key_table_find(const struct key_table *t, uint64_t seq, uint64_t *ret_key);
bool key_table_remove(struct key_table *t, uint64_t seq, uint64_t *ret_key);
/* A message of the key is out. */
bool key_table_has(const struct key_table *t, uint64_t key);
/* The first one that is out of the key, by number; false if none is. cost: by those that are */
bool key_table_first(const struct key_table *t, uint64_t key, uint64_t *ret_seq);
size_t key_table_bytes(const struct key_table *t); /* that it takes */

#endif
