/* message_json: a message to publish out of a line of JSON, as `dlq export` and `consume -o jsonl` print it. */
#ifndef SHUNT_CLI_MESSAGE_JSON_H
#define SHUNT_CLI_MESSAGE_JSON_H

#include <stdbool.h>
#include <stddef.h>

struct shunt_message;

/* No line is longer. It has room for the longest body with each byte written as \u0000, and for the history of a dead letter
 * beside it. */
#define MESSAGE_JSON_BYTES_MAX (128u * 1024 * 1024)
#define MESSAGE_JSON_WHY_BYTES 400

/* What the body of a message that was read lies in. */
struct message_json {
    void *document;
    void *body;
};

/* Put into `m` what the line says; what the line leaves out or says to be null stays as it is in `m`. The body lives until
 * message_json_done(), which is called after a failure, too. False: `why` says what is wrong, and what to do. */
bool message_json_read(struct message_json *j, struct shunt_message *m, const char *line, size_t bytes,
                       char why[MESSAGE_JSON_WHY_BYTES]);
void message_json_done(struct message_json *j);

#endif
