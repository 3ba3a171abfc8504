/* verdict: what a handler says beyond its outcome, with room for the longest failure the protocol carries.
 *
 * Everything in it is terminated UTF-8 within the limits, whatever was put in: text is cut and cleaned on the
 * way in, so that a verdict can go to the broker, or through a pipe, as it is.
 */
#ifndef SHUNT_CLIENT_WORKER_VERDICT_H
#define SHUNT_CLIENT_WORKER_VERDICT_H

#include "base/utf8.h"
#include "client/shunt.h"
#include "proto/limits.h"

struct shunt_verdict {
    int64_t delay_ms; /* SHUNT_BACKOFF unless the handler said otherwise */
    bool has_type, has_message, has_stack, has_fingerprint;
    char type[ERROR_TYPE_BYTES_MAX + 1];
    char message[ERROR_MESSAGE_BYTES_MAX + 1];
    char stack[ERROR_STACK_BYTES_MAX + 1];
    char fingerprint[ERROR_FINGERPRINT_BYTES_MAX + 1];
};

/* Nothing said. */
void verdict_clear(struct shunt_verdict *v);
/* Set one text from `bytes` that need be neither terminated nor UTF-8: the stack keeps its end, the others their
 * beginning. */
void verdict_set_type(struct shunt_verdict *v, const char *text, size_t bytes);
void verdict_set_message(struct shunt_verdict *v, const char *text, size_t bytes);
void verdict_set_stack(struct shunt_verdict *v, const char *text, size_t bytes);
void verdict_set_fingerprint(struct shunt_verdict *v, const char *text, size_t bytes);
/* The failure to send: `to` filled in and returned, its strings those of `v`; NULL if nothing was said. */
const struct shunt_failure *verdict_failure(const struct shunt_verdict *v, struct shunt_failure *to);
/* What a handler returned, made an outcome that ends a delivery: anything but ACK, NACK, REJECT and RELEASE
 * becomes a NACK whose failure says so. A failure without a type gets one, `nacked` or `rejected`. */
enum shunt_outcome verdict_settle(struct shunt_verdict *v, int outcome);

/* Copy `bytes` of `text` to `to` (`room` bytes with the terminator), cleaned as utf8_clean() does; what
 * does not fit is left out at the end, whole characters at a time. Returns the length. */
size_t text_clean(char *to, size_t room, const char *text, size_t bytes);

#endif
