/* fields: what a call of the API carries, as one frame of the protocol.
 *
 *     path, query, body ─ one JSON object ─ request.def ─► frame
 *
 * Everything is strict, because what is passed over in silence may be the filter of a purge: a member that the request does not
 * have, one that comes twice or is of another type, text behind the object, numbers with a fraction. */
#ifndef SHUNT_HTTP_FIELDS_H
#define SHUNT_HTTP_FIELDS_H

#include "broker/http/api_table.h"
#include "broker/http/problem.h"
#include "proto/mpack.h"

/* Append the request's frame to `to`, with this id. `body` is empty if there was none.
 * fails: false, with what is wrong in `*ret`; what was written to `to` is then of no use. */
bool fields_frame(const struct api_match *match, const struct target *target, struct slice body, uint64_t id,
                  struct mpack_buffer *to, struct problem *ret);

/* The shape of the answer to a request. */
enum wire_answer fields_answer(unsigned op);
/* True if the request changes something. */
bool fields_change(unsigned op);
/* The kind of a field of that request that no function here knows: it would be passed on unchecked. NULL: there is none. */
const char *fields_unknown_kind(unsigned op);

#endif
