/* snapshot: what is in a store: a hash over all of it, and, when asked for, where each message is. */
#ifndef SHUNT_TESTS_CRASH_SNAPSHOT_H
#define SHUNT_TESTS_CRASH_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SNAPSHOT_TOPICS_MAX 8
#define SNAPSHOT_WHY_BYTES  1024

struct snapshot_row {
    uint64_t seq;
    uint64_t body_hash; /* of the message as published; 0 of a dead one */
    uint64_t generation, attempts, deliveries;
    bool dead;
};

struct snapshot_topic {
    char name[64];
    uint64_t published;
    struct snapshot_row
        *rows; /* all that are not done, in the group `default`: first the living, then the dead */
    size_t count;
};

struct snapshot {
    bool exists;
    uint64_t hash;
    uint64_t hash_but_bits; /* all but the bitmaps of what is done */
    uint64_t index;         /* of the last batch applied */
    struct snapshot_topic topics[SNAPSHOT_TOPICS_MAX];
    size_t topic_count;
    uint64_t jobs; /* bit n: there is job n, up to 63 */
};

/* Open the store in `dir` for reading, check it, and take its hash; with `rows`, the rest too. That there is
 * no store is a result. False, and a sentence in `why`, if it does not open or the check finds something
 * wrong. */
bool snapshot_take(const char *dir, bool rows, struct snapshot *ret, char *why);
/* Both taken with rows. Bits below a group's floor mean nothing, so the bitmaps count by what they make of the messages. */
bool snapshot_same(const struct snapshot *s, const struct snapshot *other);
void snapshot_done(struct snapshot *s);

/* As the setting says it. */
enum snapshot_journal { SNAPSHOT_AUTO, SNAPSHOT_ON, SNAPSHOT_OFF, SNAPSHOT_JOURNALS };

/* Open the store in `dir` as a server does, making it if it is not there, let the ledger recover, commit, and
 * check it. */
bool snapshot_recover(const char *dir, enum snapshot_journal journal, char *why);

uint64_t snapshot_hash(const void *bytes, size_t size);

#endif
