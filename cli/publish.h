/* publish: messages composed of options and sources, and a pipeline of messages: many under way, each one's fate counted and told. */
#ifndef SHUNT_CLI_PUBLISH_H
#define SHUNT_CLI_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/output.h"

struct call;
struct shunt_message;

struct pipeline {
    struct call *call;
    uint32_t parts; /* of each key */
    uint64_t part;  /* that the next one becomes */
    const char *topic;
    struct output out;
    bool print_ids;  /* in table form: there is one message only */
    bool tell_lines; /* the line of each message beside its id */
    uint64_t line;   /* that the next message stands in, for who is told of it; 0: in none */
    bool strict;     /* the fault of one message ends it, too */
    bool broken;     /* no use to go on: the topic is gone, the store full, the broker unreachable */
    uint64_t queued;
    uint64_t confirmed;
    uint64_t failed;
    int code; /* of the first failure */
};

/* Put what the options say into a message that is clear: headers, key, delay, time to live, deadline. Returns an exit code. */
int publish_compose(const struct call *call, struct shunt_message *message);
/* --lines and --jsonl. `message` was composed. */
int publish_lines(struct call *call, struct shunt_message *message);

void pipeline_begin(struct pipeline *p, struct call *call, const char *topic, bool single);
/* Queue a message, its key split if the call says so; `name` (may be NULL) is how to speak of it in an error and must outlive the pipeline.
 * False if it is broken. */
bool pipeline_push(struct pipeline *p, struct shunt_message *message, const char *name);
/* Count a message that could not be made; the complaint was made already. */
void pipeline_miss(struct pipeline *p, int code);
/* Publish what was pushed until there is something to read from `fd`, which may take for ever. False if it is
 * broken. */
bool pipeline_wait(struct pipeline *p, int fd);
/* Wait for what is under way, tell how many were confirmed; returns the exit code. */
int pipeline_end(struct pipeline *p);

#endif
