/* work_answer: strict, because a member that is spelt wrong and passed over would be a delay, or an error, that gets
 * lost. */
#include "cli/work_answer.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/* As much of a line as an error shows. */
#define SHOWN_BYTES 80

static const char *const outcomes[] = {
    [SHUNT_ACK] = "ack",         [SHUNT_NACK] = "nack",     [SHUNT_REJECT] = "reject",
    [SHUNT_RELEASE] = "release", [SHUNT_EXTEND] = "extend", [SHUNT_LATE] = "late"};

#define OUTCOMES (sizeof outcomes / sizeof *outcomes)

static bool wrong(char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool wrong(char *why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, ANSWER_WHY_BYTES, format, arguments);
    va_end(arguments);
    utf8_mend(why);
    utf8_flatten(why, strlen(why));
    return false;
}

/* ---- members */

static bool read_outcome(struct answer *a, json_t *value, char *why)
{
    const char *text = json_string_value(value);
    for (size_t i = 0; text && i < OUTCOMES; i++) {
        if (strcmp(text, outcomes[i]) == 0) {
            a->outcome = (enum shunt_outcome)i;
            return true;
        }
    }
    return wrong(why, "the answer's outcome is ack, nack, reject, release, extend or late, not %.40s",
                 text ? text : "a value of another type");
}

static bool read_delay(struct answer *a, json_t *value, char *why)
{
    a->delay_ms = json_is_integer(value) ? json_integer_value(value) : -1;
    if (a->delay_ms >= 0 && a->delay_ms <= ANSWER_DELAY_MAX)
        return true;
    return wrong(why, "the answer's delay_ms is a whole number from 0 to %lld", (long long)ANSWER_DELAY_MAX);
}

/* The library takes terminated text, and JSON's may have a NUL within: it is cleaned like all that is not for eyes. */
static bool read_text(char **to, const char *key, json_t *value, char *why)
{
    size_t bytes = json_string_length(value);
    if (json_is_null(value))
        return true;
    if (!json_is_string(value))
        return wrong(why, "the answer's %s is a text", key);
    *to = malloc(bytes + 1);
    if (!*to)
        return wrong(why, "out of memory");
    utf8_clean(*to, json_string_value(value), bytes);
    (*to)[bytes] = '\0';
    return true;
}

static bool read_member(struct answer *a, const char *key, json_t *value, char *why)
{
    static const char *const texts[ANSWER_TEXTS] = {"error_type", "error_message", "error_stack",
                                                    "fingerprint"};
    if (strcmp(key, "id") == 0)
        return true;
    if (strcmp(key, "outcome") == 0)
        return read_outcome(a, value, why);
    if (strcmp(key, "delay_ms") == 0)
        return read_delay(a, value, why);
    for (size_t i = 0; i < ANSWER_TEXTS; i++) {
        if (strcmp(key, texts[i]) == 0)
            return read_text(&a->texts[i], key, value, why);
    }
    return wrong(why, "an answer has no member %.40s", key);
}

/* ---- the whole */

static bool is_of(json_t *document, const char *id, char *why)
{
    const char *own = json_string_value(json_object_get(document, "id"));
    if (!own)
        return wrong(why, "the answer has no id");
    if (!id)
        return wrong(why, "an answer for %.120s, though no message is waiting for one", own);
    if (strcmp(own, id) != 0)
        return wrong(why, "an answer for %.120s, while the message is %.120s", own, id);
    return true;
}

static bool fits_together(struct answer *a, json_t *document, char *why)
{
    bool failed = a->outcome == SHUNT_NACK || a->outcome == SHUNT_REJECT || a->outcome == SHUNT_LATE;
    bool waits = a->outcome == SHUNT_NACK || a->outcome == SHUNT_RELEASE;
    if (!json_object_get(document, "outcome"))
        return wrong(why, "the answer has no outcome");
    if (a->delay_ms != SHUNT_BACKOFF && !waits)
        return wrong(why, "delay_ms goes with nack and release, not with %s", outcomes[a->outcome]);
    for (size_t i = 0; i < ANSWER_TEXTS; i++) {
        if (a->texts[i] && !failed)
            return wrong(why, "an error goes with nack, reject and late, not with %s", outcomes[a->outcome]);
    }
    a->failure = (struct shunt_failure){
        .type = a->texts[0], .message = a->texts[1], .stack = a->texts[2], .fingerprint = a->texts[3]};
    return true;
}

static bool read_document(struct answer *a, json_t *document, const char *id, char *why)
{
    const char *key;
    json_t *value;
    if (!is_of(document, id, why))
        return false;
    json_object_foreach(document, key, value)
    {
        if (!read_member(a, key, value, why))
            return false;
    }
    return fits_together(a, document, why);
}

bool answer_read(struct answer *a, const char *line, size_t bytes, const char *id, char why[ANSWER_WHY_BYTES])
{
    json_error_t error;
    *a = (struct answer){.delay_ms = SHUNT_BACKOFF};
    json_t *document = json_loadb(line, bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!json_is_object(document)) {
        json_decref(document);
        return wrong(why, "this line is no answer (one JSON object): %.*s",
                     (int)(bytes < SHOWN_BYTES ? bytes : SHOWN_BYTES), line);
    }
    bool ok = read_document(a, document, id, why);
    json_decref(document);
    if (!ok)
        answer_done(a);
    return ok;
}

void answer_done(struct answer *a)
{
    for (size_t i = 0; i < ANSWER_TEXTS; i++)
        free(a->texts[i]);
    *a = (struct answer){0};
}
