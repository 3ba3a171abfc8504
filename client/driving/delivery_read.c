/* delivery_read: the parts of a delivery, for its handler. */
#include "base/clock.h"
#include "client/wire/consumer.h"
#include "client/wire/delivery.h"
#include "client/wire/message.h"
#include "client/wire/value.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *shunt_delivery_topic(const struct shunt_delivery *d)
{
    return d->consumer->topic;
}

const char *shunt_delivery_group(const struct shunt_delivery *d)
{
    return d->consumer->group;
}

const char *shunt_delivery_id(const struct shunt_delivery *d)
{
    struct shunt_delivery *own =
        (struct shunt_delivery *)(uintptr_t)d; /* lies in a slab of ours, never constant */
    if (own->id[0] == '\0') {
        (void)sprintf(own->id, "%s/%" PRIu64, own->consumer->topic,
                      own->seq); /* add_slab() left room for it */
    }
    return own->id;
}

uint64_t shunt_delivery_seq(const struct shunt_delivery *d)
{
    return d->seq;
}

const void *shunt_delivery_body(const struct shunt_delivery *d, size_t *ret_bytes)
{
    if (ret_bytes)
        *ret_bytes = d->message.body.size;
    return d->message.body.data;
}

const void *shunt_delivery_key(const struct shunt_delivery *d, size_t *ret_bytes)
{
    if (ret_bytes)
        *ret_bytes = d->message.key.size;
    return d->message.key.size > 0 ? d->message.key.data : NULL;
}

size_t shunt_delivery_headers(const struct shunt_delivery *d)
{
    return d->message.headers_count;
}

bool shunt_delivery_header_at(const struct shunt_delivery *d, size_t i, const char **ret_key,
                              size_t *ret_key_bytes, const void **ret_value, size_t *ret_value_bytes)
{
    struct slice key, value;
    size_t cursor = 0;
    for (size_t at = 0; message_header_next(&d->message, &cursor, &key, &value); at++) {
        if (at < i)
            continue;
        *ret_key = key.data;
        *ret_key_bytes = key.size;
        *ret_value = value.data;
        *ret_value_bytes = value.size;
        return true;
    }
    return false;
}

const void *shunt_delivery_header(const struct shunt_delivery *d, const char *key, size_t *ret_bytes)
{
    struct slice value = message_header(&d->message, key);
    if (ret_bytes)
        *ret_bytes = value.size;
    return value.data;
}

uint32_t shunt_delivery_attempts(const struct shunt_delivery *d)
{
    return d->attempts;
}

uint32_t shunt_delivery_deliveries(const struct shunt_delivery *d)
{
    return d->deliveries;
}

uint32_t shunt_delivery_generation(const struct shunt_delivery *d)
{
    return d->generation;
}

int64_t shunt_delivery_published_ms(const struct shunt_delivery *d)
{
    return d->published_ms;
}

int64_t shunt_delivery_ttl_ms(const struct shunt_delivery *d)
{
    return d->message.ttl_ms;
}

int64_t shunt_delivery_deadline_ms(const struct shunt_delivery *d)
{
    return d->expires_us != INT64_MAX ? d->message.deadline_ms : 0;
}

int64_t shunt_message_remaining_ms(const struct shunt_delivery *d)
{
    if (d->expires_us == INT64_MAX)
        return -1;
    int64_t left_us = d->expires_us - clock_mono_us();
    return left_us > 0 ? left_us / 1000 : 0;
}

void shunt_message_inherit(struct shunt_message *m, const struct shunt_delivery *d)
{
    m->deadline_ms = shunt_delivery_deadline_ms(d);
}

const struct shunt_value *shunt_delivery_dead(const struct shunt_delivery *d)
{
    struct shunt_delivery *own =
        (struct shunt_delivery *)(uintptr_t)d; /* lies in memory of ours, never constant */
    if (!own->dead_value && own->dead.size)
        (void)value_build(own->dead, &own->dead_value); /* else it stays NULL */
    return own->dead_value;
}

int64_t shunt_delivery_lease_left_ms(const struct shunt_delivery *d)
{
    int64_t left_us = d->deadline_us - clock_mono_us();
    return left_us > 0 && !delivery_stale(d) && !delivery_away(d) ? left_us / 1000 : 0;
}
