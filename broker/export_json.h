/* export_json: members of an exported line: what `shunt publish --jsonl` reads. If there is no memory for one, it is left out. */
#ifndef SHUNT_BROKER_EXPORT_JSON_H
#define SHUNT_BROKER_EXPORT_JSON_H

#include "proto/message.h"

#include <jansson.h>

void export_set_number(json_t *to, const char *name, uint64_t number);
/* Nothing if it is 0. */
void export_set_time(json_t *to, const char *name, int64_t wall_ms);
/* As NAME, or if it is no text as NAME_base64. */
void export_set_bytes(json_t *to, const char *name, struct slice bytes);
void export_set_headers(json_t *to, const struct message_view *m);

#endif
