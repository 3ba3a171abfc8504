/* fuzz_units_names: any bytes as duration, size, count, name, message name and text. */
#include "base/utf8.h"
#include "proto/errors.h"
#include "proto/limits.h"
#include "proto/names.h"
#include "proto/units.h"
#include "tests/fuzz/fuzz.h"
#include <stdio.h>
#include <string.h>

static void try_units(const char *text)
{
    int64_t value = -1, back = -1;
    char written[32];
    const char *why = NULL;
    if (units_parse_duration(text, DURATION_MS_MAX, &value, &why)) {
        MUST(value >= 0 && value <= DURATION_MS_MAX);
        MUST(units_parse_duration(units_format_duration(written, value), DURATION_MS_MAX, &back, &why));
        MUST(back == value);
    } else {
        MUST(why && value == -1);
    }
    value = -1;
    why = NULL;
    if (units_parse_size(text, INT64_MAX, &value, &why))
        MUST(value >= 0 && strlen(units_format_size(written, value)) < sizeof written);
    else
        MUST(why && value == -1);
    value = -1;
    why = NULL;
    if (units_parse_count(text, 1, 1000, &value, &why))
        MUST(value >= 1 && value <= 1000);
    else
        MUST(why && value == -1);
}

static void try_names(struct slice name)
{
    struct slice topic, group;
    const char *why = NULL;
    int code = name_check(name, &why);
    MUST(code == SHUNT_OK || (why && (code == SHUNT_BAD_NAME || code == SHUNT_RESERVED)));
    MUST(code != SHUNT_OK || name.size <= NAME_BYTES_MAX);
    if (name_is_dlq(name, &topic, &group)) {
        char back[TOPIC_BYTES_MAX + 1];
        MUST(code == SHUNT_RESERVED && name_check_topic(name, &why) == SHUNT_OK);
        MUST(name_dlq(back, topic, group) == name.size && memcmp(back, name.data, name.size) == 0);
    }
    uint64_t seq = 0;
    if (name_parse_id(name, &topic, &seq)) {
        char back[TOPIC_BYTES_MAX + 32];
        int length = snprintf(back, sizeof back, "%.*s/%llu", (int)topic.size, (const char *)topic.data,
                              (unsigned long long)seq);
        MUST(seq > 0 && (size_t)length == name.size && memcmp(back, name.data, name.size) == 0);
    }
}

static void try_text(const uint8_t *data, size_t size)
{
    char *clean = malloc(size ? size : 1);
    MUST(clean);
    utf8_clean(clean, data, size);
    MUST(utf8_valid(clean, size));
    free(clean);
    bool valid = utf8_valid(data, size);
    for (size_t max = 0; max <= size && max <= 16; max++) {
        size_t prefix = utf8_prefix(data, size, max);
        size_t suffix = utf8_suffix(data, size, max);
        MUST(prefix <= max && size - suffix <= max);
        if (valid) {
            MUST(utf8_valid(data, prefix) && prefix + 3 >= max);
            MUST(utf8_valid(data + suffix, size - suffix) && size - suffix + 3 >= max);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t wall_ms = 0;
    char time[32];
    char *text = malloc(size + 1);
    MUST(text);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    try_units(text);
    free(text);
    try_names((struct slice){data, size});
    try_text(data, size);
    if (size)
        memcpy(&wall_ms, data, size < sizeof wall_ms ? size : sizeof wall_ms);
    MUST(strlen(units_format_time(time, wall_ms)) < sizeof time);
    return 0;
}
