/* work_message: bytes that JSON would make six times as long are base64, so a line is at most about twice its body; of a dead letter
 * come its history and stacks, which are bounded. */
#include "cli/work_message.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/dead.h"
#include "cli/delivered.h"
#include "cli/json.h"
#include "client/shunt.h"

static void text_or_base64(struct json *j, const char *key, const char *key_base64, const void *data,
                           size_t bytes)
{
    bool text = delivered_is_text(data, bytes);
    json_key(j, text ? key : key_base64);
    if (text)
        json_text(j, data, bytes);
    else
        json_base64(j, data, bytes);
}

static void number(struct json *j, const char *key, uint64_t value)
{
    json_key(j, key);
    json_unsigned(j, value);
}

static void write_members(struct json *j, const struct shunt_delivery *d, int64_t timeout_ms)
{
    char time[32];
    size_t bytes = 0;
    size_t base_bytes = 0;
    const void *key = shunt_delivery_key(d, &bytes);
    const void *base = shunt_delivery_base_key(d, &base_bytes);
    const struct shunt_value *dead = shunt_delivery_dead(d);
    json_key(j, "id");
    json_string(j, shunt_delivery_id(d));
    json_key(j, "topic");
    json_string(j, shunt_delivery_topic(d));
    json_key(j, "group");
    json_string(j, shunt_delivery_group(d));
    number(j, "attempt", shunt_delivery_attempts(d) + 1);
    number(j, "deliveries", shunt_delivery_deliveries(d));
    number(j, "generation", shunt_delivery_generation(d));
    json_key(j, "published");
    json_string(j, shunt_format_time(time, shunt_delivery_published_ms(d)));
    if (shunt_delivery_ttl_ms(d) > 0)
        number(j, "ttl_ms", (uint64_t)shunt_delivery_ttl_ms(d));
    json_key(j, "lease_ms");
    json_integer(j, shunt_delivery_lease_left_ms(d));
    if (timeout_ms)
        number(j, "timeout_ms", (uint64_t)timeout_ms);
    if (shunt_message_remaining_ms(d) >= 0) {
        json_key(j, "deadline");
        json_string(j, shunt_format_time(time, shunt_delivery_deadline_ms(d)));
        number(j, "remaining_ms", (uint64_t)shunt_message_remaining_ms(d));
    }
    json_key(j, "headers");
    delivered_headers(j, d, true);
    if (key)
        text_or_base64(j, "key", "key_base64", key, bytes);
    if (base_bytes != bytes)
        text_or_base64(j, "base_key", "base_key_base64", base, base_bytes);
    if (dead) {
        json_key(j, "dead");
        dead_delivered_json(j, dead);
    }
    const void *body = shunt_delivery_body(d, &bytes);
    text_or_base64(j, "body", "body_base64", body ? body : "", bytes);
}

char *work_message_line(const struct shunt_delivery *d, int64_t timeout_ms, size_t *ret_bytes)
{
    char *line = NULL;
    struct json json;
    FILE *out = open_memstream(&line, ret_bytes);
    if (!out)
        return NULL;
    json_init(&json, out, false);
    json_object(&json);
    write_members(&json, d, timeout_ms);
    json_object_end(&json);
    (void)fputc('\n', out);
    int failed = ferror(out);
    if (fclose(out) || failed) {
        free(line);
        return NULL;
    }
    return line;
}
