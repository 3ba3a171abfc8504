/* on_breach: tells somebody outside that nobody has looked at dead letters in time: runs a program, sends a document to a
 * URL, or both.
 *
 * Each way has a thread and a queue (notices.h) of its own, so that one that hangs keeps neither the engine nor the other way
 * waiting. What is sent to a URL is sent by the program curl: no server that answers, or does not, can do more than keep
 * that program busy until its time is over.
 */
#ifndef SHUNT_BROKER_ON_BREACH_H
#define SHUNT_BROKER_ON_BREACH_H

#include "broker/engine/engine.h"
#include "broker/http/http.h"
#include "broker/log.h"

struct on_breach;

struct on_breach_config {
    const char *command, *url; /* as the settings have them; NULL: none */
    int64_t timeout_ms;        /* of one try */
    const struct log *log;
};

/* Starts the threads; *ret is NULL if there is nothing to tell anybody.
 * fails: BAD_ARGUMENT (a program cannot be run; `ret_why` gets one sentence), NO_MEMORY, IO (no thread). */
int on_breach_start(const struct on_breach_config *config, struct on_breach **ret, char *ret_why,
                    size_t why_bytes);
/* Ends what runs, says in the log what was not told, and frees it. Takes NULL. */
void on_breach_stop(struct on_breach *b);

/* An event EVENT_OVERDUE. Any thread; waits for nobody. */
void on_breach_add(struct on_breach *b, const struct event *event);
/* What came of the tries, for the metrics; lives as long as `b`. NULL for NULL. */
const struct breach_counts *on_breach_counts(const struct on_breach *b);

#endif
