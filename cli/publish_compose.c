/* publish_compose: what every message of a call gets: headers, key, delay, time to live and deadline of its options. */
#include <string.h>

#include "cli/call.h"
#include "cli/deadline.h"
#include "cli/publish.h"
#include "client/shunt.h"

static int add_headers(const struct call *call, struct shunt_message *message)
{
    for (size_t i = 0; i < call->options.values_count; i++) {
        const struct option_value *value = &call->options.values[i];
        if (strcmp(value->row->name, "header") != 0)
            continue;
        char key[260]; /* header keys are at most 256 bytes */
        const char *equals = strchr(value->text, '=');
        size_t key_bytes = equals ? (size_t)(equals - value->text) : 0;
        if (key_bytes == 0)
            return call_misused(call, "-H %.60s: a header is KEY=VALUE", value->text);
        if (key_bytes >= sizeof key)
            return call_misused(call, "-H %.60s…: the key is longer than 256 bytes", value->text);
        memcpy(key, value->text, key_bytes);
        key[key_bytes] = '\0';
        int code = shunt_message_header(message, key, equals + 1, strlen(equals + 1));
        if (code)
            return call_misused(call, "-H %.60s: %s", value->text, shunt_error_text(code));
    }
    return EXIT_OK;
}

static int add_options(const struct call *call, struct shunt_message *message)
{
    const char *key = options_text(&call->options, "key", NULL);
    int64_t delay_ms = options_number(&call->options, "delay", 0);
    int64_t ttl_ms = options_number(&call->options, "ttl", 0);
    int code = key ? shunt_message_key(message, key, strlen(key)) : 0;
    if (code)
        return call_misused(call, "--key: %s", shunt_error_text(code));
    code = delay_ms ? shunt_message_delay(message, delay_ms) : 0;
    if (code)
        return call_misused(call, "--delay: %s", shunt_error_text(code));
    code = ttl_ms ? shunt_message_ttl(message, ttl_ms) : 0;
    if (code)
        return call_misused(call, "--ttl: %s", shunt_error_text(code));
    return deadline_compose(call, message);
}

int publish_compose(const struct call *call, struct shunt_message *message)
{
    int code = add_headers(call, message);
    return code ? code : add_options(call, message);
}
