/* message: what a user composes to publish. */
#ifndef SHUNT_CLIENT_WIRE_MESSAGE_H
#define SHUNT_CLIENT_WIRE_MESSAGE_H

#include "client/shunt.h"
#include "proto/limits.h"
#include "proto/mpack.h"

struct shunt_message {
    const void *body; /* lent by the user */
    size_t body_bytes;
    struct mpack_buffer headers; /* the pairs as sent, without the map's header */
    uint32_t headers_count;
    struct {
        uint32_t key_bytes;
        size_t pair_bytes; /* of key and value together, in `headers` */
    } pairs[HEADERS_MAX];
    uint8_t key[KEY_BYTES_MAX];
    size_t key_bytes;
    size_t base_bytes; /* of the key before it was split; 0: it is not */
    int64_t delay_ms;
    int64_t ttl_ms;
    int64_t deadline_ms;
    uint64_t number; /* the program's own; 0: none. Not part of what is encoded */
};

/* The key is whole again, if it was split. */
void message_unsplit(struct shunt_message *m);
/* Append the message's array to `b`. */
void message_encode(const struct shunt_message *m, struct mpack_buffer *b);
/* At least what message_encode() appends. */
size_t message_encoded_bytes_max(const struct shunt_message *m);

#endif
