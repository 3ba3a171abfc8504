/* given: what callers of shunt_triage.h hand over: structs that may be older or newer than this library, texts, and which
 * dead letters are meant. */
#ifndef SHUNT_CLIENT_DRIVING_GIVEN_H
#define SHUNT_CLIENT_DRIVING_GIVEN_H

#include "client/shunt_triage.h"
#include "proto/request.h"

/* Copy the caller's struct, which begins with its `size`, into `to` of `room` bytes; what it has not is zero.
 * fails: BAD_ARGUMENT (smaller than a size_t, or larger than any struct), UNSUPPORTED (it has what this library does not). */
int given_struct(void *to, size_t room, const void *from, struct shunt_error *err);

/* A text, or NULL, which becomes an empty slice without data. `what` names it in the error.
 * fails: BAD_ARGUMENT (empty, or not UTF-8). */
int given_text(const char *text, const char *what, struct slice *ret, struct shunt_error *err);

/* Which letters; `f` may be NULL. What `*ret` points to is the caller's. fails: as the two above. */
int given_filter(const struct shunt_dlq_filter *f, struct dead_filter *ret, struct shunt_error *err);

/* Names of dead letters as a list; `names` holds its bytes, and must be freed in any case.
 * fails: BAD_ARGUMENT (more than IDS_MAX, or one that can name nothing), NO_MEMORY. */
int given_ids(const char *const *ids, size_t count, struct mpack_buffer *names, struct wire_list *ret,
              struct shunt_error *err);
int given_id(const char *id, struct shunt_error *err);

#endif
