/* dlq_filter: the options that say which dead letters are meant. Every command that chooses among them has these. */
#ifndef SHUNT_CLI_DLQ_FILTER_H
#define SHUNT_CLI_DLQ_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/cause.h"
#include "client/shunt_triage.h"

struct call;

#define DLQ_CHOICE_USAGE "[--cause FP] [--type T] [--match TEXT] [--header K=V] [--reason R] [--key K]"
#define DLQ_FILTER_USAGE                                                                                     \
    "[--cause FP] [--type T] [--match TEXT] [--header K=V] [--since D] [--reason R] [--key K]"

/* clang-format off */
#define DLQ_CHOICE_OPTIONS                                                                                                  \
    {"cause", 0, "FP", OPTION_TEXT, WORDS_NONE, 0, 0, "only those of this cause: its fingerprint, or the beginning of it"}, \
    {"type", 0, "T", OPTION_TEXT, WORDS_NONE, 0, 0, "only those with this error type"},                                     \
    {"match", 0, "TEXT", OPTION_TEXT, WORDS_NONE, 0, 0, "only those whose error message has TEXT in it"},                   \
    {"header", 'H', "K=V", OPTION_TEXT, WORDS_NONE, 0, 0, "only those with this header"},                                   \
    {"reason", 0, "rejected|max_attempts|ttl_expired|corrupt|predecessor_dead|operator|deadline_exceeded", OPTION_TEXT,      \
     WORDS_NONE, 0, 0,                                                                                                      \
     "only those that died for this reason"},                                                                               \
    {"key", 0, "K", OPTION_TEXT, WORDS_NONE, 0, 0, "only those with this ordering key"}

#define DLQ_FILTER_OPTIONS                                                                                                  \
    DLQ_CHOICE_OPTIONS,                                                                                                     \
    {"since", 0, "D", OPTION_DURATION, WORDS_NONE, 1, DLQ_SINCE_MS_MAX, "only those that died in the last D"}
/* clang-format on */

#define DLQ_SINCE_MS_MAX (INT64_C(3650) * 86400 * 1000)

struct dlq_filter {
    struct shunt_dlq_filter is;
    bool given; /* something is */
    char cause[CAUSE_DIGITS + 1];
    char header[260];
};

/* What the command line says; `is` points into `f` and the command line.
 * Returns EXIT_OK, or EXIT_USAGE after saying why. Nothing is asked of the broker. */
int dlq_filter_read(const struct call *call, struct dlq_filter *f);
/* After call_connect(): make the beginning of a fingerprint a whole one. Returns an exit code. */
int dlq_filter_resolve(struct call *call, struct dlq_filter *f);

#endif
