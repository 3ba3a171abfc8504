/* journal: a file of records, one behind the other and, past its end, again from its beginning over those that are no longer needed.
 *
 * A record is what one commit changed. It is written where blocks have been written before, except in the first round of long records, so that its flush needs no change of
 * the file system's own metadata: one write, one flush, and it is durable. Somebody else (store_journal.h) puts what the records
 * say into the store behind it, durably, and then releases them; their blocks are written over.
 *
 *     | head block | record | record | ... free ... | record | record | to the end that no record fitted in |
 *                                    ^ next         ^ oldest
 *
 * Every record begins on a block. Its head has a magic, the journal's id, its number, its length, and a checksum over head and body
 * that is seeded with its place; so what an earlier round left, what another journal wrote, and what was moved can never be taken
 * for it; nor can a part of a body, because nobody who writes bodies knows the id. Numbers grow by one. A record that does not fit between `next` and the end of the file begins behind the head block.
 *
 * The place of the first record that is still needed is not kept here but in the store behind it, in the transaction that made the
 * ones before it needless. Opening begins there and reads on while the record of the next number is whole where it may stand: behind
 * the one before it, or behind the head block. Where that ends is the journal's end, and what is torn there was never durable; but if
 * a whole record of a later number stands anywhere else (a mark in the head block says where one can), it is damage, because a record is only written when the one before
 * it is durable. (Damage to the very last record cannot be told from a write that was torn.)
 *
 * One thread at a time, except in journal_extend_file(). After a failed write or flush nothing is known of what is on the
 * disk: the caller must stop; every later append fails, too.
 */
#ifndef SHUNT_JOURNAL_JOURNAL_H
#define SHUNT_JOURNAL_JOURNAL_H

#include "broker/journal/file.h"
#include "proto/mpack.h"

#define JOURNAL_BLOCK_BYTES 4096u
#define JOURNAL_HEAD_BYTES  64u /* of a record, before its body */
#define JOURNAL_ID_BYTES    16u
#define JOURNAL_BYTES_MIN   (64ull << 10)

struct journal;

/* The record that is written next, or that is the first needed one: its number, and where it is looked for first. */
struct journal_place {
    uint64_t number;
    uint64_t at; /* bytes from the beginning of the file; a multiple of the block */
};

/* Make an empty journal of `bytes` (rounded up to blocks, at least JOURNAL_BYTES_MIN) in a file that is empty or may be written over:
 * every block is written, and all is durable on return. Its first record will have `first_number`, and is looked for at journal_next().
 * Takes the file over, also when it fails. fails: NO_SPACE, IO, NO_MEMORY; `ret_why` (at least 512 bytes) gets one sentence. */
int journal_create(struct journal_file *file, const uint8_t id[JOURNAL_ID_BYTES], uint64_t bytes,
                   uint64_t first_number, struct journal **ret, char *ret_why, size_t why_bytes);

/* What is given the records on opening, in order. `body` lives until it returns. Other than 0: opening ends with that. */
typedef int journal_each(void *context, struct journal_place place, struct slice body);

/* Open one whose first needed record is `oldest`, and hand out every record from `from` on, each with its place. Unless `read_only`, all that was handed out is durable on return, whatever became
 * of the flush that it had, and what is torn behind it will be written over.
 * Takes the file over, also when it fails. fails: CORRUPT (damage, or not this journal: `ret_why` says at which byte, which record,
 * and what to do), STORE_TRUNCATED (the file has lost its end), STORE_VERSION (of a later
 * version), IO, NO_MEMORY, what `each` returned. `ret_why` (at least 512 bytes) gets one sentence, unless `each` wrote one there. */
int journal_open(struct journal_file *file, const uint8_t id[JOURNAL_ID_BYTES], struct journal_place oldest,
                 struct journal_place from, bool read_only, journal_each *each, void *context,
                 struct journal **ret, char *ret_why, size_t why_bytes);
void journal_close(struct journal *j); /* takes NULL; flushes nothing */

/* Where the next record goes, if it fits there. */
struct journal_place journal_next(const struct journal *j);
/* Whether a body of so many bytes can be appended now. False: release records, or extend the file. */
bool journal_has_room(const struct journal *j, size_t body_bytes);
/* Whether a longer file would help such a body that has no room. Where records have begun again at the front it does not: they go on up to the
 * first needed one, wherever the file ends. */
bool journal_needs_length(const struct journal *j, size_t body_bytes);
/* The most bytes that a body can have in a file of this size: a fifth of it, so that two always fit while two are still needed, wherever
 * those stand. */
size_t journal_body_bytes_max(const struct journal *j);
/* Append a record and make it durable. `record` has JOURNAL_HEAD_BYTES, which are filled in here, and then the body; it stays the
 * caller's. There must be room (journal_has_room). fails: NO_SPACE, IO: fatal. */
int journal_append(struct journal *j, void *record, size_t body_bytes);
/* The place at which the last one stands. */
struct journal_place journal_last(const struct journal *j);
/* The records before `place` are no longer needed; it is a former journal_next(), where the journal was opened from, or what journal_walk() came to. */
void journal_release(struct journal *j, struct journal_place place);

uint64_t journal_bytes(const struct journal *j);          /* of the file */
uint64_t journal_appended_bytes(const struct journal *j); /* since it was opened */
uint64_t journal_record_bytes(size_t body_bytes);         /* that a record takes of it */
uint64_t journal_used_bytes(
    const struct journal
        *j); /* of it, from the first needed record to the next; what is left out at the end counts */

/* The record at *at, or behind the head block if that is where it is, of a journal of `bytes` whose file lies at `map` (the file's map()): *ret_body is in the
 * map, *ret where it begins, and *at the place of the next one. From the first needed record on; any thread, while they are
 * needed. fails: CORRUPT: it is not whole */
int journal_walk(const uint8_t *map, uint64_t bytes, const uint8_t id[JOURNAL_ID_BYTES],
                 struct journal_place *at, struct journal_place *ret, struct slice *ret_body);

/* Make the file longer, in two steps. The first may run in a thread of its own beside everything else: it sets the blocks aside from
 * `from`, which is journal_bytes(), to `to`, durably, so that no record meets a full disk; `written`: and writes them, so that the flush of the first record
 * in them is as short as that of later ones. The second says that they may be used. It opens the file once
 * more, so a failed flush is told to both threads. fails: NO_SPACE: the journal stays as it is, and what was got is
 * given back; IO: so it does, but how long the next start finds it is not known, so that it is never tried again. */
int journal_extend_file(struct journal_file *file, uint64_t from, uint64_t to, bool written);
void journal_extended(struct journal *j, uint64_t bytes);
struct journal_file *journal_file_of(struct journal *j);

#endif
