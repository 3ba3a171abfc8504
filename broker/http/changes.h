/* changes: what the engine did of late, as JSON, numbered, for those who follow it (stream.h).
 *
 * Bounded: the oldest go when there are CHANGES_MAX or CHANGES_BYTES_MAX of them, and a follower that comes too late is told how
 * many it missed. Deaths are gathered: of each group one change in CHANGES_DEATHS_MS. Numbers begin at 1 with each start, and the
 * epoch, which is another one each time, says of which start they are. Any thread. */
#ifndef SHUNT_HTTP_CHANGES_H
#define SHUNT_HTTP_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHANGES_MAX        1024
#define CHANGES_BYTES_MAX  (512u * 1024)
#define CHANGES_DEATHS_MS  1000
#define CHANGES_GROUPS_MAX 64 /* whose deaths are gathered each by itself; those of others are one sum */

struct changes;
struct event;
struct text;

struct changes *changes_new(void);    /* NULL without memory or descriptors */
void changes_free(struct changes *c); /* takes NULL */

/* An event of the engine. Times are of the monotonic clock, and of the machine's. */
void changes_tell(struct changes *c, const struct event *event, int64_t now_ms, int64_t wall_ms);
/* Deaths that were gathered for long enough become changes. Returns when some are next, CLOCK_NEVER: there are none. */
int64_t changes_gathered(struct changes *c, int64_t now_ms, int64_t wall_ms);

/* A descriptor that can be read when there is something new, or deaths are gathered; and that is read. */
int changes_fd(const struct changes *c);
void changes_seen(struct changes *c);

#define CHANGES_ID_BYTES 48
/* The name of the change of this number, `EPOCH-NUMBER`; and back. */
void changes_id(const struct changes *c, uint64_t number, char ret[CHANGES_ID_BYTES]);
enum changes_id { CHANGES_ID_BAD, CHANGES_ID_OF_ANOTHER_START, CHANGES_ID_GOOD };
enum changes_id changes_id_read(const struct changes *c, const char *id, uint64_t *ret_number);

/* How often users, roles or tokens have changed: another number than before says that who was let in may not be any more. */
uint64_t changes_of_access(struct changes *c);

/* The number of the newest; 0: there was none. */
uint64_t changes_newest(struct changes *c);
/* How many of the changes behind number `*number` are no longer there; it moves on past them. */
uint64_t changes_missed(struct changes *c, uint64_t *number);
/* Append those behind number `*number` that are there to `to` as events of a stream, up to about `bytes`, and move it on. */
void changes_read(struct changes *c, uint64_t *number, size_t bytes, struct text *to);

#endif
