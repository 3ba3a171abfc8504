/* delivery_pack: a delivery as bytes, from the process that talks to the broker to the one that handles it.
 *
 *   struct packed | topic | group | message as it was published | what is known of a dead letter
 * Both are the same program on the same machine and share the monotonic clock, so numbers go as they are.
 */

#include "client/worker/delivery_pack.h"

#include "client/wire/consumer.h"

#include <stdlib.h>
#include <string.h>

struct packed {
    uint64_t seq;
    int64_t lease_ms;
    int64_t deadline_us;
    int64_t published_ms;
    uint32_t attempts;
    uint32_t deliveries;
    uint32_t generation;
    uint32_t topic_bytes;
    uint32_t group_bytes;
    uint32_t message_bytes;
    uint32_t dead_bytes;
};

/* A delivery with a consumer of its own, which is in no list and only answers the accessors. */
struct unpacked {
    struct shunt_consumer consumer;  /* first: the delivery's pointer to it is the way back */
    struct shunt_delivery *delivery; /* behind this, with room for its id */
};

#define ID_BYTES_MAX (TOPIC_BYTES_MAX + 22) /* "/", 20 digits, end */

int delivery_pack(const struct shunt_delivery *d, struct mpack_buffer *to)
{
    const struct shunt_consumer *c = d->consumer;
    struct packed packed;

    memset(&packed, 0, sizeof packed);
    packed.seq = d->seq;
    packed.lease_ms = d->lease_ms;
    packed.deadline_us = d->deadline_us;
    packed.published_ms = d->published_ms;
    packed.attempts = d->attempts;
    packed.deliveries = d->deliveries;
    packed.generation = d->generation;
    packed.topic_bytes = (uint32_t)strlen(c->topic);
    packed.group_bytes = (uint32_t)strlen(c->group);
    packed.message_bytes = (uint32_t)d->message.whole.size;
    packed.dead_bytes = (uint32_t)d->dead.size;
    mpack_write_raw(to, &packed, sizeof packed);
    mpack_write_raw(to, c->topic, packed.topic_bytes);
    mpack_write_raw(to, c->group, packed.group_bytes);
    mpack_write_raw(to, d->message.whole.data, packed.message_bytes);
    mpack_write_raw(to, d->dead.data, packed.dead_bytes);
    return to->failed ? SHUNT_NO_MEMORY : 0;
}

static struct shunt_delivery *unpacked_new(struct shunt_consumer **ret_consumer)
{
    struct unpacked *u = calloc(1, sizeof *u);

    if (!u)
        return NULL;
    u->delivery = calloc(1, sizeof *u->delivery + ID_BYTES_MAX);
    if (!u->delivery) {
        free(u);
        return NULL;
    }
    u->consumer.state =
        CONSUMER_ACTIVE; /* as far as this process can know, the lease stands until its time is over */
    u->consumer.epoch = 1;
    u->delivery->consumer = &u->consumer;
    u->delivery->epoch = 1;
    u->delivery->place = DELIVERY_HELD;
    *ret_consumer = &u->consumer;
    return u->delivery;
}

int delivery_unpack(const void *bytes, size_t size, struct shunt_delivery **ret)
{
    const char *at = bytes;
    struct packed packed;
    struct shunt_consumer *c;
    struct shunt_delivery *d;
    struct mpack_reader reader;
    const char *why;

    if (size < sizeof packed)
        return SHUNT_PROTOCOL;
    memcpy(&packed, at, sizeof packed);
    at += sizeof packed;
    if (packed.topic_bytes > TOPIC_BYTES_MAX || packed.group_bytes > NAME_BYTES_MAX ||
        size - sizeof packed !=
            (size_t)packed.topic_bytes + packed.group_bytes + packed.message_bytes + packed.dead_bytes)
        return SHUNT_PROTOCOL;
    d = unpacked_new(&c);
    if (!d)
        return SHUNT_NO_MEMORY;
    memcpy(c->topic, at, packed.topic_bytes);
    at += packed.topic_bytes;
    memcpy(c->group, at, packed.group_bytes);
    at += packed.group_bytes;
    mpack_read_init(&reader, at, packed.message_bytes);
    if (message_read(&reader, BODY_BYTES_MAX, &d->message, &why) != 0) {
        delivery_unpacked_free(d);
        return SHUNT_PROTOCOL;
    }
    d->dead = (struct slice){at + packed.message_bytes, packed.dead_bytes};
    d->seq = packed.seq;
    d->lease_ms = packed.lease_ms;
    d->deadline_us = packed.deadline_us;
    d->published_ms = packed.published_ms;
    d->attempts = packed.attempts;
    d->deliveries = packed.deliveries;
    d->generation = packed.generation;
    *ret = d;
    return 0;
}

void delivery_unpacked_free(struct shunt_delivery *d)
{
    if (d) {
        struct unpacked *u = (struct unpacked *)(void *)d->consumer;

        shunt_value_free(d->dead_value);
        free(d);
        free(u);
    }
}
