/* dead: a dead letter as it is shown: the members of its JSON are a contract (docs/cli.md). */
#ifndef SHUNT_CLI_DEAD_H
#define SHUNT_CLI_DEAD_H

#include "cli/record.h"

struct call;
struct json;
struct table;
struct shunt_value;

/* As `dlq list` shows it. */
extern const struct record_field dead_fields[];
/* By whom it was edited; as a sentence: `by shunt on host-a, from 10.0.0.1:5050, because: no date`. */
#define DEAD_EDITOR_BYTES 1200
const char *dead_editor_text(const struct shunt_value *edited, char text[DEAD_EDITOR_BYTES]);
extern const struct record_field dead_edited_fields[];
/* One attempt: a row of the history, or the example of a cause. */
extern const struct record_field dead_attempt_fields[];

/* The whole: body, error stack and history too. */
void dead_json(struct json *j, const struct shunt_value *dead);
/* What a delivery from a DLQ tells beside the message itself: shunt_delivery_dead(). */
void dead_delivered_json(struct json *j, const struct shunt_value *dead);
void dead_show(const struct call *call, const struct shunt_value *dead);

/* The stack of an attempt, under a heading; nothing if it has none. */
void dead_stack(const struct shunt_value *attempt);

/* The cell ERROR of a row with error_type and error_message: both, or the message alone if it begins with the
 * type. */
void dead_error_cell(struct table *t, const struct shunt_value *row);

#endif
