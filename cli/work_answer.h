/* work_answer: a line with which a command that stands (`work --stream`) answers for its message. The members are a
 * contract; see docs/workers.md. */
#ifndef SHUNT_CLI_WORK_ANSWER_H
#define SHUNT_CLI_WORK_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/shunt.h"

#define ANSWER_WHY_BYTES 300
#define ANSWER_TEXTS     4
#define ANSWER_DELAY_MAX INT64_C(315360000000) /* ms, ten years: the protocol's bound */

struct answer {
    enum shunt_outcome outcome;   /* EXTEND: a sign of life */
    int64_t delay_ms;             /* SHUNT_BACKOFF if none was given */
    struct shunt_failure failure; /* points at the texts */
    char *texts[ANSWER_TEXTS];    /* UTF-8 without control characters; answer_done() frees them */
};

/* Read the answer for the message `id`. False: `why` says what is wrong with the line, in words that are valid
 * UTF-8 and safe to print, and there is nothing to free. */
bool answer_read(struct answer *a, const char *line, size_t bytes, const char *id,
                 char why[ANSWER_WHY_BYTES]);
void answer_done(struct answer *a);

#endif
