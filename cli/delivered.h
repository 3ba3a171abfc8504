/* delivered: one message, consumed or peeked at, as it goes to stdout. */
#ifndef SHUNT_CLI_DELIVERED_H
#define SHUNT_CLI_DELIVERED_H

#include <stdbool.h>
#include <stddef.h>

struct json;
struct output;
struct shunt_delivery;
struct shunt_value;

/* UTF-8 without control characters but tab, newline and carriage return? */
bool delivered_is_text(const void *data, size_t bytes);

/* The message's headers as one object: a value that is text as a string, else {"base64": "…"}. With `plain`,
 * text with control characters is none: escaped, it would be six times as long. */
void delivered_headers(struct json *j, const struct shunt_delivery *delivery, bool plain);
/* In table form the body's bytes and a newline. */
void delivered_print(struct output *out, const struct shunt_delivery *delivery);
/* A dead letter of shunt_dlq_show(), as it would be delivered. */
void delivered_print_dead(struct output *out, const struct shunt_value *dead);
/* A row of shunt_peek() with its body, of `topic`. */
void delivered_print_peeked(struct output *out, const char *topic, const struct shunt_value *row);

#endif
