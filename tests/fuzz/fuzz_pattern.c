/* fuzz_pattern: any bytes as the pattern of a grant and, behind the first NUL, as the topic that it is to fit; against a table of
 * which beginnings of the one fit which beginnings of the other. */
#include "broker/core/topic_pattern.h"
#include "proto/limits.h"
#include "tests/fuzz/fuzz.h"

#define BYTES_MAX 256 /* of an input */

static bool fits(struct slice pattern, struct slice topic)
{
    static bool before[BYTES_MAX + 1], now[BYTES_MAX + 1];
    const uint8_t *p = pattern.data, *t = topic.data;
    for (size_t j = 0; j <= topic.size; j++)
        before[j] = !j;
    for (size_t i = 0; i < pattern.size; i++) {
        bool any = p[i] == '*';
        now[0] = any && before[0];
        for (size_t j = 1; j <= topic.size; j++)
            now[j] = any ? before[j] || now[j - 1] : before[j - 1] && p[i] == t[j - 1];
        memcpy(before, now, topic.size + 1);
    }
    return before[topic.size];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > BYTES_MAX)
        return 0;
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    struct slice pattern = {data, nul ? (size_t)(nul - data) : size};
    struct slice topic = {nul ? nul + 1 : NULL, nul ? size - pattern.size - 1 : 0};
    if (!topic_pattern_is_valid(pattern))
        return 0;
    MUST(pattern.size && pattern.size <= NAME_BYTES_MAX);
    MUST(topic_pattern_matches(pattern, topic) == fits(pattern, topic));
    if (!memchr(pattern.data, '*', pattern.size)) /* it is a name, and fits itself */
        MUST(topic_pattern_matches(pattern, pattern));
    return 0;
}
