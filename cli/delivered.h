/* delivered: one message, consumed or peeked at, as it goes to stdout. */
#ifndef SHUNT_CLI_DELIVERED_H
#define SHUNT_CLI_DELIVERED_H

struct output;
struct shunt_delivery;
struct shunt_value;

/* In table form the body's bytes and a newline. */
void delivered_print(struct output *out, const struct shunt_delivery *delivery);
/* A row of shunt_peek() with its body, of `topic`. */
void delivered_print_peeked(struct output *out, const char *topic, const struct shunt_value *row);

#endif
