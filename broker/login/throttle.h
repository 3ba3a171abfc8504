/* throttle: how long an attempt to log in by password has to wait before it is looked at, by where it comes from and for whom it is.
 * Pure: the time is given to it.
 *
 * Failures are counted for each address, each name and each pair of the two, in tables of fixed size whose oldest entries make
 * room. Attempts from an address that has failed often stand in a line: each waits until some time after the one before it, longer with each
 * failure. Attempts for a name that others fail to guess wait for a short random time and stand in no line, so that nobody can make its
 * owner wait for more than THROTTLE_NAME_MS_MAX. A pair that has succeeded is slowed by its own failures alone.
 */
#ifndef SHUNT_LOGIN_THROTTLE_H
#define SHUNT_LOGIN_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#define THROTTLE_ENTRIES       4096 /* of each table */
#define THROTTLE_FREE_FAILURES 3    /* as many change nothing */
#define THROTTLE_ADDRESS_MS    200  /* between attempts after the next failure; doubled with each, */
#define THROTTLE_ADDRESS_MS_MAX                                                                              \
    5000                          /* up to this; and each time is random, from half of it to one and a half */
#define THROTTLE_LINE_MS_MAX 3000 /* who would have to wait longer is refused */
#define THROTTLE_NAME_MS_MAX 500
#define THROTTLE_FORGET_MS   (10 * 60 * 1000)      /* failures are forgotten so long after the last */
#define THROTTLE_TRUST_MS    (24 * 60 * 60 * 1000) /* a success is */

/* Whose attempt: address and name as numbers that nobody outside can choose (keyed hashes). */
struct throttle_who {
    uint64_t address, name;
};

struct throttle;

/* Its random times follow from `seed`. NULL without memory. */
struct throttle *throttle_new(uint64_t seed);
void throttle_free(struct throttle *t); /* takes NULL */

/* An attempt comes. Returns how many ms it is to wait; or, negative, how many (as a positive number) until it may be tried again:
 * it is refused, and has taken no place in the line. */
int64_t throttle_wait_ms(struct throttle *t, const struct throttle_who *who, int64_t now_ms);

/* Whether the name has logged in from this address, not too long ago. */
bool throttle_trusts(struct throttle *t, const struct throttle_who *who, int64_t now_ms);

/* What became of one that was not refused. */
void throttle_failed(struct throttle *t, const struct throttle_who *who, int64_t now_ms);
void throttle_succeeded(struct throttle *t, const struct throttle_who *who, int64_t now_ms);

#endif
