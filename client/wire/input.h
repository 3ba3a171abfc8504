/* input: received bytes in blocks that deliveries point into. A block lives as long as something counts on
 * it. */
#ifndef SHUNT_CLIENT_WIRE_INPUT_H
#define SHUNT_CLIENT_WIRE_INPUT_H

#include "proto/frame.h"

struct block {
    unsigned holders;
    size_t size; /* bytes received */
    size_t capacity;
    uint8_t data[];
};

void block_hold(struct block *b);
void block_drop(struct block *b); /* takes NULL; the last one frees it */

struct input {
    struct block *block; /* NULL at first */
    size_t begin;        /* where the next frame begins */
    size_t need;         /* bytes that frame takes in all, as far as is known */
};

void input_done(struct input *in);
/* Forget what was received: a new connection begins. */
void input_reset(struct input *in);
/* Room to receive into, at least one byte; NULL without memory. It lives until the next call. */
void *input_space(struct input *in, size_t *ret_size);
void input_received(struct input *in, size_t size);
/* The next frame, as frame_next(). WHOLE consumes it; its payload lives until the next input_space(), longer
 * if in->block is held. */
enum frame_state input_next(struct input *in, struct slice *ret_payload, const char **ret_why);

#endif
