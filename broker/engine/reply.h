/* reply: frames from the engine to one connection, written straight into its output. */
#ifndef SHUNT_ENGINE_REPLY_H
#define SHUNT_ENGINE_REPLY_H

#include "base/slice.h"

#include <stdint.h>

struct engine;
struct mpack_buffer;
struct session;

/* An OK with fields: returns the buffer to write them to, and the frame's offset for frame_end(). */
struct mpack_buffer *reply_begin(struct session *s, uint64_t request_id, uint32_t fields, size_t *ret_frame);
void reply_error(struct session *s, uint64_t request_id, int err, const char *why);
/* The same; `wait_ms`: how long it is asked to wait, 0: as always with such an error. */
void reply_error_until(struct session *s, uint64_t request_id, int err, const char *why, int64_t wait_ms);
/* That there is no such topic or group, by its name. */
void reply_missing(struct session *s, uint64_t request_id, int err, struct slice topic, struct slice group);
/* How long a client that gets this error is asked to wait before it asks again, ms; 0: that is not said. */
int64_t reply_retry_after_ms(const struct engine *e, int err);
/* Answer with ERROR PROTOCOL and close. */
void reply_broken(struct session *s, uint64_t request_id, const char *why);
void reply_closed(struct session *s, uint64_t sub, int err, const char *why);

/* An OK whose fields a view appends to `out`; answer_end() makes it an ERROR if that failed. */
struct answer {
    struct mpack_buffer *out;
    size_t frame, before;
};
struct answer answer_begin(struct session *s, uint64_t request_id, uint32_t fields);
void answer_end(struct session *s, uint64_t request_id, const struct answer *a, int err, const char *why);

#endif
