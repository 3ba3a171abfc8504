/* verdict: see verdict.h. */
#include "client/worker/verdict.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

size_t text_clean(char *to, size_t room, const char *text, size_t bytes)
{
    size_t used = bytes < room ? bytes : utf8_prefix(text, bytes, room - 1);

    utf8_clean(to, text, used);
    to[used] = '\0';
    return used;
}

void verdict_clear(struct shunt_verdict *v)
{
    v->delay_ms = SHUNT_BACKOFF;
    v->has_type = v->has_message = v->has_stack = v->has_fingerprint = false;
    v->type[0] = v->message[0] = v->stack[0] = v->fingerprint[0] = '\0';
}

void verdict_set_type(struct shunt_verdict *v, const char *text, size_t bytes)
{
    (void)text_clean(v->type, sizeof v->type, text, bytes);
    v->has_type = true;
}

void verdict_set_message(struct shunt_verdict *v, const char *text, size_t bytes)
{
    (void)text_clean(v->message, sizeof v->message, text, bytes);
    v->has_message = true;
}

void verdict_set_stack(struct shunt_verdict *v, const char *text, size_t bytes)
{
    size_t begin = utf8_suffix(text, bytes, ERROR_STACK_BYTES_MAX);

    (void)text_clean(v->stack, sizeof v->stack, text + begin, bytes - begin);
    v->has_stack = true;
}

void verdict_set_fingerprint(struct shunt_verdict *v, const char *text, size_t bytes)
{
    (void)text_clean(v->fingerprint, sizeof v->fingerprint, text, bytes);
    v->has_fingerprint = true;
}

void shunt_verdict_failure(struct shunt_verdict *v, const struct shunt_failure *failure)
{
    v->has_type = v->has_message = v->has_stack = v->has_fingerprint = false;
    if (!failure)
        return;
    if (failure->type)
        verdict_set_type(v, failure->type, strlen(failure->type));
    if (failure->message)
        verdict_set_message(v, failure->message, strlen(failure->message));
    if (failure->stack)
        verdict_set_stack(v, failure->stack, strlen(failure->stack));
    if (failure->fingerprint)
        verdict_set_fingerprint(v, failure->fingerprint, strlen(failure->fingerprint));
}

void shunt_verdict_delay(struct shunt_verdict *v, int64_t delay_ms)
{
    v->delay_ms = delay_ms < 0 ? SHUNT_BACKOFF : delay_ms > DURATION_MS_MAX ? DURATION_MS_MAX : delay_ms;
}

const struct shunt_failure *verdict_failure(const struct shunt_verdict *v, struct shunt_failure *to)
{
    if (!v->has_type && !v->has_message && !v->has_stack && !v->has_fingerprint)
        return NULL;
    to->type = v->has_type ? v->type : NULL;
    to->message = v->has_message ? v->message : NULL;
    to->stack = v->has_stack ? v->stack : NULL;
    to->fingerprint = v->has_fingerprint ? v->fingerprint : NULL;
    return to;
}

enum shunt_outcome verdict_settle(struct shunt_verdict *v, int outcome)
{
    char text[100];

    if ((outcome >= SHUNT_ACK && outcome <= SHUNT_RELEASE) || outcome == SHUNT_LATE) {
        if (!v->has_type && (outcome == SHUNT_NACK || outcome == SHUNT_REJECT)) {
            const char *type = outcome == SHUNT_NACK ? "nacked" : "rejected";

            verdict_set_type(v, type, strlen(type));
        }
        return (enum shunt_outcome)outcome;
    }
    (void)snprintf(text, sizeof text, "the handler returned %d, which is not an outcome that ends a message",
                   outcome);
    v->delay_ms = SHUNT_BACKOFF;
    shunt_verdict_failure(v, &(struct shunt_failure){.type = "bad_outcome", .message = text});
    return SHUNT_NACK;
}
