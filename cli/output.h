/* output: how items reach stdout with -o json (one document) and -o jsonl (one object a line). */
#ifndef SHUNT_CLI_OUTPUT_H
#define SHUNT_CLI_OUTPUT_H

#include <stdbool.h>

#include "cli/call.h"
#include "cli/json.h"

struct output {
    enum call_form form;
    bool list; /* with json, items stand in one array */
    struct json json;
};

/* Begin; with FORM_TABLE nothing is written and items are the caller's to print. */
void output_begin(struct output *o, enum call_form form, bool list);
/* Is it JSON of either form? */
bool output_is_json(const struct output *o);
/* After each item written to o->json. */
void output_item_end(struct output *o);
void output_end(struct output *o);

#endif
