/* names: the rules for names of topics, groups, dead-letter queues and messages. */
#include "proto/names.h"

#include "base/utf8.h"
#include "proto/errors.h"

#include <string.h>

static bool is_name_byte(uint8_t c);
static int refuse(int code, const char *why, const char **ret_why);

int name_check(struct slice name, const char **ret_why)
{
    const uint8_t *at = name.data;
    if (name.size == 0)
        return refuse(SHUNT_BAD_NAME, "a name must not be empty", ret_why);
    if (memchr(at, ':', name.size)) {
        return refuse(SHUNT_RESERVED, "a name must not hold ':', it is reserved for dead-letter queues",
                      ret_why);
    }
    if (name.size > NAME_BYTES_MAX)
        return refuse(SHUNT_BAD_NAME, "a name is at most 100 bytes long", ret_why);
    if (at[0] == '.')
        return refuse(SHUNT_BAD_NAME, "a name must not start with a dot", ret_why);
    for (size_t i = 0; i < name.size; i++) {
        if (!is_name_byte(at[i]))
            return refuse(SHUNT_BAD_NAME, "a name is made of A-Z a-z 0-9 . _ and -", ret_why);
    }
    return SHUNT_OK;
}

_Static_assert(NAME_BYTES_MAX == 100, "name_check() says the limit in words");

bool name_is_user(struct slice name)
{
    const uint8_t *at = name.data;
    for (size_t i = 0; i < name.size && i < NAME_BYTES_MAX; i++) {
        if (!is_name_byte(at[i]) && at[i] != '@')
            return false;
    }
    return name.size > 0 && name.size <= NAME_BYTES_MAX;
}

bool name_is_of_certificate(struct slice name)
{
    static const char *const kinds[] = {"dns:", "email:", "uri:", "cn:"};
    const uint8_t *at = name.data;
    if (name.size > CERTIFICATE_NAME_BYTES_MAX || !utf8_valid(name.data, name.size))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        if (at[i] < ' ' || at[i] == 0x7f)
            return false;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t size = strlen(kinds[i]);
        if (name.size > size && !memcmp(at, kinds[i], size))
            return true;
    }
    return false;
}

bool name_is_dlq(struct slice name, struct slice *ret_topic, struct slice *ret_group)
{
    const size_t prefix = sizeof DLQ_PREFIX - 1;
    const char *unused;
    if (name.size <= prefix || name.size > TOPIC_BYTES_MAX || memcmp(name.data, DLQ_PREFIX, prefix) != 0)
        return false;
    const char *topic = (const char *)name.data + prefix;
    size_t rest = name.size - prefix;
    const char *colon = memchr(topic, ':', rest);
    if (!colon)
        return false;
    struct slice first = {topic, (size_t)(colon - topic)};
    struct slice second = {colon + 1, rest - first.size - 1};
    if (name_check(first, &unused) || name_check(second, &unused))
        return false;
    *ret_topic = first;
    *ret_group = second;
    return true;
}

int name_check_topic(struct slice name, const char **ret_why)
{
    struct slice topic, group;
    if (name_is_dlq(name, &topic, &group))
        return SHUNT_OK;
    return name_check(name, ret_why);
}

size_t name_dlq(char *to, struct slice topic, struct slice group)
{
    const size_t prefix = sizeof DLQ_PREFIX - 1;
    char *at = to;
    memcpy(at, DLQ_PREFIX, prefix);
    at += prefix;
    memcpy(at, topic.data, topic.size);
    at += topic.size;
    *at++ = ':';
    memcpy(at, group.data, group.size);
    at += group.size;
    *at = '\0';
    return (size_t)(at - to);
}

bool name_parse_id(struct slice id, struct slice *ret_topic, uint64_t *ret_seq)
{
    const char *at = id.data, *unused;
    const char *slash = id.size ? memchr(at, '/', id.size) : NULL;
    if (!slash)
        return false;
    struct slice topic = {at, (size_t)(slash - at)};
    const char *end = at + id.size;
    uint64_t seq = 0;
    /* One message, one name: no sign, no leading zero, which also keeps 0 out. */
    if (name_check_topic(topic, &unused) || slash + 1 == end || slash[1] == '0')
        return false;
    for (const char *c = slash + 1; c < end; c++) {
        if (*c < '0' || *c > '9')
            return false;
        uint64_t digit = (uint64_t)(*c - '0');
        if (seq > (UINT64_MAX - digit) / 10)
            return false;
        seq = seq * 10 + digit;
    }
    *ret_topic = topic;
    *ret_seq = seq;
    return true;
}

static bool is_name_byte(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static int refuse(int code, const char *why, const char **ret_why)
{
    *ret_why = why;
    return code;
}
