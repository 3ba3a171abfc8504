/* split: one key in parts, so that the messages of a key that is too hot for one handler at a time are ordered within each part only.
 *
 * Part `i` of a key `K` is the key `K#i`, and the header SPLIT_HEADER says in how many parts it is: so a key that ends in `#1` by itself is not taken for a part, and the
 * broker need not know of any of this. */
#include "client/wire/split.h"
#include "client/wire/consumer.h"
#include "client/wire/message.h"
#include "proto/message.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_DIGITS_MAX 4 /* of a number of parts */
_Static_assert(SHUNT_SPLIT_PARTS_MAX < 10000, "it has so many digits");

int shunt_message_split(struct shunt_message *m, uint32_t parts, uint64_t number)
{
    char suffix[NUMBER_DIGITS_MAX + 2], count[NUMBER_DIGITS_MAX + 1];
    message_unsplit(m);
    if (m->key_bytes == 0 || parts < 1 || parts > SHUNT_SPLIT_PARTS_MAX)
        return SHUNT_BAD_ARGUMENT;
    if (parts == 1)
        return 0;
    size_t bytes = (size_t)snprintf(suffix, sizeof suffix, "#%" PRIu32, (uint32_t)(number % parts));
    size_t count_bytes = (size_t)snprintf(count, sizeof count, "%" PRIu32, parts);
    if (m->key_bytes + bytes > KEY_BYTES_MAX)
        return SHUNT_TOO_LARGE;
    int err = shunt_message_header(m, SPLIT_HEADER, count, count_bytes);
    if (err)
        return err;
    m->base_bytes = m->key_bytes;
    memcpy(m->key + m->key_bytes, suffix, bytes);
    m->key_bytes += bytes;
    return 0;
}

/* The digits at the end of `text`, without zeros in front. False: there are none, or too many. */
static bool read_number(struct slice text, uint32_t *ret, size_t *ret_digits)
{
    const char *bytes = text.data;
    size_t digits = 0;
    uint32_t value = 0;
    while (digits < text.size && bytes[text.size - digits - 1] >= '0' && bytes[text.size - digits - 1] <= '9')
        digits++;
    if (digits == 0 || digits > NUMBER_DIGITS_MAX || (digits > 1 && bytes[text.size - digits] == '0'))
        return false;
    for (size_t i = text.size - digits; i < text.size; i++)
        value = value * 10 + (uint32_t)(bytes[i] - '0');
    *ret = value;
    *ret_digits = digits;
    return true;
}

struct slice split_base_key(const struct message_view *m)
{
    uint32_t parts = 0, part = 0;
    size_t digits = 0;
    const struct slice count = message_header(m, SPLIT_HEADER);
    const char *key = m->key.data;
    if (!count.size || !read_number(count, &parts, &digits) || digits != count.size ||
        parts > SHUNT_SPLIT_PARTS_MAX)
        return m->key;
    if (!read_number(m->key, &part, &digits) || part >= parts || m->key.size < digits + 2 ||
        key[m->key.size - digits - 1] != '#')
        return m->key;
    return (struct slice){key, m->key.size - digits - 1};
}

const void *shunt_delivery_base_key(const struct shunt_delivery *d, size_t *ret_bytes)
{
    struct slice base = split_base_key(&d->message);
    if (ret_bytes)
        *ret_bytes = base.size;
    return base.size > 0 ? base.data : NULL;
}
