/* topic_pattern: see topic_pattern.h.
 *
 * What stands between two stars is looked for as early as it can be: if the rest fits behind a later place, it fits behind the
 * earliest one, too. So no place is looked at twice, and nothing has to be taken back. */
#include "broker/core/topic_pattern.h"
#include "proto/limits.h"

#define ANY '*'

static bool is_pattern_byte(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == ANY;
}

bool topic_pattern_is_valid(struct slice pattern)
{
    const uint8_t *at = pattern.data;
    if (!pattern.size || pattern.size > NAME_BYTES_MAX || at[0] == '.')
        return false;
    for (size_t i = 0; i < pattern.size; i++) {
        if (!is_pattern_byte(at[i]))
            return false;
    }
    return true;
}

static struct slice rest(struct slice s, size_t skipped)
{
    return (struct slice){(const char *)s.data + skipped, s.size - skipped};
}

/* Bytes before the next star; all, if there is none. */
static size_t words(struct slice pattern)
{
    const char *star = pattern.size ? memchr(pattern.data, ANY, pattern.size) : NULL;
    return star ? (size_t)(star - (const char *)pattern.data) : pattern.size;
}

static bool begins_with(struct slice s, const void *data, size_t size)
{
    return s.size >= size && (!size || !memcmp(s.data, data, size));
}

bool topic_pattern_matches(struct slice pattern, struct slice topic)
{
    size_t size = words(pattern);
    if (!topic.size)
        topic.data = ""; /* an empty one need not have bytes, and memmem() wants some */
    if (!begins_with(topic, pattern.data, size))
        return false;
    if (size == pattern.size)
        return topic.size == size;
    topic = rest(topic, size);
    pattern = rest(pattern, size + 1);
    while ((size = words(pattern)) < pattern.size) {
        const char *found = memmem(topic.data, topic.size, pattern.data, size);
        if (!found)
            return false;
        topic = rest(topic, (size_t)(found - (const char *)topic.data) + size);
        pattern = rest(pattern, size + 1);
    }
    return topic.size >= size && begins_with(rest(topic, topic.size - size), pattern.data, size);
}
