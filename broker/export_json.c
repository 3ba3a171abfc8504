/* export_json: members of an exported line, as the tool writes them. */
#include "broker/export_json.h"

#include "base/base64.h"
#include "base/utf8.h"
#include "proto/units.h"

#include <stdio.h>
#include <stdlib.h>

void export_set_number(json_t *to, const char *name, uint64_t number)
{
    json_object_set_new(to, name, json_integer((json_int_t)number));
}

void export_set_time(json_t *to, const char *name, int64_t wall_ms)
{
    char text[32];
    if (wall_ms > 0)
        json_object_set_new(to, name, json_string(units_format_time(text, wall_ms)));
}

static json_t *base64_of(struct slice bytes)
{
    size_t size = base64_size(bytes.size);
    char *text = malloc(size + 1);
    if (!text)
        return NULL;
    base64_encode(text, bytes.data, bytes.size);
    json_t *value = json_stringn(text, size);
    free(text);
    return value;
}

/* As NAME, or if it is no text as NAME_base64. */
void export_set_bytes(json_t *to, const char *name, struct slice bytes)
{
    char other[32];
    if (utf8_valid(bytes.data, bytes.size)) {
        json_object_set_new(to, name, json_stringn(bytes.size ? bytes.data : "", bytes.size));
        return;
    }
    (void)snprintf(other, sizeof other, "%s_base64", name);
    json_object_set_new(to, other, base64_of(bytes));
}

void export_set_headers(json_t *to, const struct message_view *m)
{
    struct mpack_reader from;
    json_t *headers = json_object();
    mpack_read_init(&from, m->headers.data, m->headers.size);
    uint32_t count = m->headers.size ? mpack_read_map(&from) : 0;
    for (uint32_t i = 0; i < count; i++) {
        struct slice name = mpack_read_str(&from), value = mpack_read_text_or_bin(&from);
        if (!name.data || !value.data) /* it was read before: never */
            break;
        json_t *text = NULL;
        if (utf8_valid(value.data, value.size))
            text = json_stringn(value.data, value.size);
        else
            text = json_pack("{s:o}", "base64", base64_of(value));
        json_object_setn_new(headers, name.data, name.size, text);
    }
    json_object_set_new(to, "headers", headers);
}
