/* delivered: the members of a message in JSON are a contract; see docs/cli.md. */
#include "cli/delivered.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/utf8.h"
#include "cli/dead.h"
#include "cli/output.h"
#include "cli/record.h"
#include "client/shunt.h"

static bool is_plain(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte == 0x7F || (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r'))
            return false;
    }
    return true;
}

bool delivered_is_text(const void *data, size_t bytes)
{
    return utf8_valid(data, bytes) && is_plain(data, bytes);
}

void delivered_headers(struct json *j, const struct shunt_delivery *d, bool plain)
{
    const char *key = NULL;
    const void *value = NULL;
    size_t key_bytes = 0;
    size_t bytes = 0;
    json_object(j);
    for (size_t i = 0; shunt_delivery_header_at(d, i, &key, &key_bytes, &value, &bytes); i++) {
        json_key_bytes(j, key, key_bytes);
        if (plain ? delivered_is_text(value, bytes) : utf8_valid(value, bytes))
            json_text(j, value, bytes);
        else
            json_base64_object(j, value, bytes);
    }
    json_object_end(j);
}

static void count_member(struct json *j, const char *key, uint64_t count)
{
    json_key(j, key);
    json_unsigned(j, count);
}

/* Null: none of its own. */
static void ttl_member(struct json *j, int64_t ttl_ms)
{
    json_key(j, "ttl_ms");
    ttl_ms > 0 ? json_integer(j, ttl_ms) : json_null(j);
}

/* A time; 0: it has none. */
static void deadline_member(struct json *j, int64_t deadline_ms)
{
    char text[32];
    json_key(j, "deadline");
    json_string(j, deadline_ms ? shunt_format_time(text, deadline_ms) : NULL);
}

static void delivery_json(struct json *j, const struct shunt_delivery *d)
{
    char time[32];
    size_t key_bytes = 0;
    size_t body_bytes = 0;
    const void *key = shunt_delivery_key(d, &key_bytes);
    const void *body = shunt_delivery_body(d, &body_bytes);
    const struct shunt_value *dead = shunt_delivery_dead(d);
    json_object(j);
    json_key(j, "id");
    json_string(j, shunt_delivery_id(d));
    count_member(j, "attempts", shunt_delivery_attempts(d));
    count_member(j, "deliveries", shunt_delivery_deliveries(d));
    count_member(j, "generation", shunt_delivery_generation(d));
    json_key(j, "published");
    json_string(j, shunt_format_time(time, shunt_delivery_published_ms(d)));
    json_key(j, "headers");
    delivered_headers(j, d, false);
    json_bytes_member(j, "key", key, key_bytes);
    ttl_member(j, shunt_delivery_ttl_ms(d));
    deadline_member(j, shunt_delivery_deadline_ms(d));
    count_member(j, "size", body_bytes);
    json_bytes_member(j, "body", body ? body : "", body_bytes);
    if (dead) {
        json_key(j, "dead");
        dead_delivered_json(j, dead);
    }
    json_object_end(j);
}

void delivered_print(struct output *out, const struct shunt_delivery *delivery)
{
    size_t bytes = 0;
    const void *body = shunt_delivery_body(delivery, &bytes);
    if (output_is_json(out)) {
        delivery_json(&out->json, delivery);
        output_item_end(out);
        return;
    }
    if (bytes)
        fwrite(body, 1, bytes, stdout);
    fputc('\n', stdout);
}

/* ---- peeked: the message is the array that was published: body, headers, key, delay, time to live */

static const struct record_field counts[] = {
    {"attempts", RECORD_COUNT, NULL, NULL},
    {"deliveries", RECORD_COUNT, NULL, NULL},
    {"generation", RECORD_COUNT, NULL, NULL},
    {"published", RECORD_TIME, NULL, NULL},
    {0},
};

static void peeked_json(struct json *j, const char *topic, const struct shunt_value *row)
{
    char text[160];
    size_t bytes = 0;
    const struct shunt_value *message = shunt_value_get(row, "message");
    const struct shunt_value *key = shunt_value_at(message, 2);
    json_object(j);
    json_key(j, "id");
    (void)snprintf(text, sizeof text, "%s/%" PRId64, topic, record_integer(row, "seq")); /* names are short */
    json_string(j, text);
    record_members(j, counts, row);
    json_key(j, "headers");
    if (shunt_value_type(shunt_value_at(message, 1)) == SHUNT_MAP) {
        record_value(j, shunt_value_at(message, 1));
    } else {
        json_object(j);
        json_object_end(j);
    }
    const char *key_text = shunt_value_text(key, &bytes);
    json_bytes_member(j, "key", shunt_value_type(key) == SHUNT_NIL ? NULL : key_text, bytes);
    ttl_member(j, shunt_value_integer(shunt_value_at(message, 4)));
    deadline_member(j, record_integer(row, "deadline"));
    const char *body = shunt_value_text(shunt_value_at(message, 0), &bytes);
    count_member(j, "size", (uint64_t)record_integer(row, "size"));
    json_bytes_member(j, "body", shunt_value_type(message) == SHUNT_NIL ? NULL : body, bytes);
    json_key(j, "state");
    json_string(j, record_text(row, "state"));
    json_key(j, "due");
    json_string(j, record_time(text, shunt_value_get(row, "due")));
    json_object_end(j);
}

void delivered_print_peeked(struct output *out, const char *topic, const struct shunt_value *row)
{
    size_t bytes = 0;
    const char *body = shunt_value_text(shunt_value_at(shunt_value_get(row, "message"), 0), &bytes);
    if (output_is_json(out)) {
        peeked_json(&out->json, topic, row);
        output_item_end(out);
        return;
    }
    fwrite(body, 1, bytes, stdout);
    fputc('\n', stdout);
}

/* ---- dead letters that are looked at: no reader of the DLQ has them, so what counts its deliveries is not known */

static const struct record_field letter[] = {
    {"published", RECORD_TIME, NULL, NULL}, {"headers", RECORD_MAP, NULL, NULL},
    {"key", RECORD_BYTES, NULL, NULL},      {"ttl_ms", RECORD_COUNT, NULL, NULL},
    {"deadline", RECORD_TIME, NULL, NULL},  {"size", RECORD_COUNT, NULL, NULL},
    {"body", RECORD_BYTES, NULL, NULL},     {0},
};

static void letter_json(struct json *j, const struct shunt_value *dead)
{
    static const char *const counts_of_readers[] = {"attempts", "deliveries", "generation"};
    json_object(j);
    json_key(j, "id");
    json_string(j, record_text(dead, "id"));
    for (size_t i = 0; i < sizeof counts_of_readers / sizeof *counts_of_readers; i++) {
        json_key(j, counts_of_readers[i]);
        json_null(j);
    }
    record_members(j, letter, dead);
    json_key(j, "state");
    json_string(j, "dead");
    json_key(j, "due");
    json_null(j);
    json_key(j, "dead");
    dead_delivered_json(j, dead);
    json_object_end(j);
}

void delivered_print_dead(struct output *out, const struct shunt_value *dead)
{
    size_t bytes = 0;
    const char *body = shunt_value_text(shunt_value_get(dead, "body"), &bytes);
    if (output_is_json(out)) {
        letter_json(&out->json, dead);
        output_item_end(out);
        return;
    }
    fwrite(body, 1, bytes, stdout);
    fputc('\n', stdout);
}
