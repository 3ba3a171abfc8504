/* output: frames on their way to the socket, all but PUBLISH, which is sent from its batch. A place is a
 * number of bytes since the first connection: it says whether the socket has taken a frame. */
#ifndef SHUNT_CLIENT_WIRE_OUTPUT_H
#define SHUNT_CLIENT_WIRE_OUTPUT_H

#include "proto/mpack.h"

struct output {
    struct mpack_buffer bytes;
    size_t sent;      /* of them */
    uint64_t begin;   /* place of the first */
    uint64_t reached; /* place up to which the socket has them; between it and `sent` they are on their way */
};

void output_done(struct output *o);
/* Place where the next frame begins; a frame is sent if the place where it ends is at most output_sent_to().
 */
uint64_t output_end(const struct output *o);
uint64_t output_sent_to(const struct output *o);
/* All that was sent has reached the socket. */
void output_arrived(struct output *o);
/* How much is not sent. */
size_t output_left(const struct output *o);
/* 0, or NO_MEMORY, in which case the output is as it was when it ended at `end`. */
int output_check(struct output *o, uint64_t end);
/* The socket took `size` more of it. */
void output_taken(struct output *o, size_t size);
/* The connection is gone: nothing of it will be sent. */
void output_forget(struct output *o);

#endif
