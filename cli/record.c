/* record: tables of fields give the order and the meaning; the values come as the broker sent them. */
#include "cli/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "cli/json.h"
#include "cli/table.h"
#include "client/shunt.h"

int64_t record_integer(const struct shunt_value *record, const char *key)
{
    return shunt_value_integer(shunt_value_get(record, key));
}

static const char *text_of(const struct shunt_value *value)
{
    enum shunt_type type = shunt_value_type(value);
    return type == SHUNT_TEXT || type == SHUNT_BYTES ? shunt_value_text(value, NULL) : NULL;
}

const char *record_text(const struct shunt_value *record, const char *key)
{
    return text_of(shunt_value_get(record, key));
}

const char *record_time(char *to, const struct shunt_value *time)
{
    return shunt_value_type(time) == SHUNT_INTEGER ? shunt_format_time(to, shunt_value_integer(time)) : NULL;
}

/* Nobody reads the milliseconds of an age. */
static const char *to_the_second(char *to, int64_t ms)
{
    return shunt_format_duration(to, ms < 1000 ? (ms < 0 ? 0 : ms) : ms / 1000 * 1000);
}

const char *record_wait(char *to, const struct shunt_value *time)
{
    return to_the_second(to, shunt_value_integer(time) - clock_wall_ms());
}

const char *record_age(char *to, const struct shunt_value *time)
{
    if (shunt_value_type(time) != SHUNT_INTEGER)
        return NULL;
    return to_the_second(to, clock_wall_ms() - shunt_value_integer(time));
}

/* ---- JSON */

static void bytes_value(struct json *j, const struct shunt_value *value)
{
    size_t bytes = 0;
    const char *text = shunt_value_text(value, &bytes);
    if (utf8_valid(text, bytes))
        json_text(j, text, bytes);
    else
        json_base64_object(j, text, bytes);
}

static void scalar_value(struct json *j, const struct shunt_value *value)
{
    enum shunt_type type = shunt_value_type(value);
    if (type == SHUNT_BOOL)
        json_bool(j, shunt_value_integer(value) != 0);
    else if (type == SHUNT_INTEGER)
        json_integer(j, shunt_value_integer(value));
    else if (type == SHUNT_TEXT || type == SHUNT_BYTES)
        bytes_value(j, value);
    else
        json_null(j);
}

/* The broker's values nest at most a few levels: the protocol's frame depth bounds this. */
void record_value(struct json *j, const struct shunt_value *value)
{
    enum shunt_type type = shunt_value_type(value);
    if (type != SHUNT_LIST && type != SHUNT_MAP) {
        scalar_value(j, value);
        return;
    }
    type == SHUNT_LIST ? json_array(j) : json_object(j);
    for (size_t i = 0; i < shunt_value_count(value); i++) {
        if (type == SHUNT_MAP)
            json_key(j, shunt_value_key_at(value, i));
        record_value(j, shunt_value_at(value, i));
    }
    type == SHUNT_LIST ? json_array_end(j) : json_object_end(j);
}

/* A setting with words for values, as `dlq|discard`: its word is written to `to`, which has WORD_ROOM bytes. NULL: all others are numbers
 * in the unit their name ends with. */
#define WORD_ROOM 32

/* Fields have `_` where the names of settings have `-`. */
static bool is_field_of(const char *key, const char *name)
{
    while (*key && (*key == *name || (*key == '_' && *name == '-'))) {
        key++;
        name++;
    }
    return *key == *name;
}

static const char *setting_word(const char *key, const struct shunt_value *value, char *to)
{
    struct shunt_setting setting;
    size_t i = 0;
    while (shunt_setting(i, &setting) && !is_field_of(key, setting.name))
        i++;
    if (!shunt_setting(i, &setting) || !strchr(setting.unit, '|'))
        return NULL;
    const char *word = setting.unit;
    for (int64_t number = shunt_value_integer(value); number > 0 && strchr(word, '|'); number--)
        word = strchr(word, '|') + 1;
    (void)snprintf(to, WORD_ROOM, "%.*s", (int)strcspn(word, "|"), word);
    return to;
}

static void policy_value(struct json *j, const struct shunt_value *policy)
{
    json_object(j);
    for (size_t i = 0; i < shunt_value_count(policy); i++) {
        const char *key = shunt_value_key_at(policy, i);
        char to[WORD_ROOM];
        const char *word = setting_word(key, shunt_value_at(policy, i), to);
        json_key(j, key);
        if (word)
            json_string(j, word);
        else
            record_value(j, shunt_value_at(policy, i));
    }
    json_object_end(j);
}

static void records_value(struct json *j, const struct record_field *fields,
                          const struct shunt_value *records)
{
    json_array(j);
    for (size_t i = 0; i < shunt_value_count(records); i++)
        record_json(j, fields, shunt_value_at(records, i));
    json_array_end(j);
}

static void bytes_member(struct json *j, const char *key, const struct shunt_value *value)
{
    size_t bytes = 0;
    const char *text = shunt_value_text(value, &bytes);
    bool there = shunt_value_type(value) == SHUNT_TEXT || shunt_value_type(value) == SHUNT_BYTES;
    json_bytes_member(j, key, there ? text : NULL, bytes);
}

static void member(struct json *j, const struct record_field *field, const struct shunt_value *value)
{
    char time[32];
    if (field->kind == RECORD_BYTES) {
        bytes_member(j, field->key, value);
        return;
    }
    json_key(j, field->key);
    if (field->kind == RECORD_TIME) {
        json_string(j, record_time(time, value));
    } else if (field->kind == RECORD_POLICY) {
        policy_value(j, value);
    } else if (field->kind == RECORD_RECORD && shunt_value_type(value) == SHUNT_MAP) {
        record_json(j, field->fields, value);
    } else if (field->kind == RECORD_RECORDS) {
        records_value(j, field->fields, value);
    } else if (field->kind == RECORD_FLAG) {
        json_bool(j, shunt_value_integer(value) != 0);
    } else if (field->kind == RECORD_MAP && shunt_value_type(value) == SHUNT_NIL) {
        json_object(j);
        json_object_end(j);
    } else {
        record_value(j, value);
    }
}

void record_members(struct json *j, const struct record_field *fields, const struct shunt_value *record)
{
    for (const struct record_field *field = fields; field->key; field++)
        member(j, field, shunt_value_get(record, field->key));
}

void record_json(struct json *j, const struct record_field *fields, const struct shunt_value *record)
{
    json_object(j);
    record_members(j, fields, record);
    json_object_end(j);
}

/* ---- lines */

static void pair(struct table *t, const char *title, const char *text)
{
    table_cell(t, title);
    table_cell(t, text);
}

/* `backoff_min_ms` 1000 is shown as `backoff-min  1s`, as it is written on the command line. */
static void policy_line(struct table *t, const char *key, const struct shunt_value *value)
{
    char name[64];
    char text[WORD_ROOM];
    int64_t number = shunt_value_integer(value);
    (void)snprintf(name, sizeof name, "  %s", key);
    for (char *c = name; *c; c++)
        *c = *c == '_' ? '-' : *c;
    size_t len = strlen(name);
    bool is_ms = len > 3 && strcmp(name + len - 3, "-ms") == 0;
    bool is_bytes = strstr(name, "-bytes") != NULL;
    if (is_ms)
        name[len - 3] = '\0';
    const char *word = setting_word(key, value, text);
    if (word) {
        pair(t, name, word);
    } else if (is_ms) {
        pair(t, name, shunt_format_duration(text, number));
    } else if (is_bytes) {
        pair(t, name, shunt_format_size(text, number));
    } else {
        table_cell(t, name);
        table_cellf(t, "%" PRId64, number);
    }
}

static void map_lines(struct table *t, const struct record_field *field, const struct shunt_value *map)
{
    char name[300];
    if (shunt_value_count(map) == 0)
        return;
    pair(t, field->title, "");
    for (size_t i = 0; i < shunt_value_count(map); i++) {
        const char *key = shunt_value_key_at(map, i);
        if (field->kind == RECORD_POLICY) {
            policy_line(t, key, shunt_value_at(map, i));
            continue;
        }
        (void)snprintf(name, sizeof name, "  %s", key);
        table_cell(t, name);
        if (shunt_value_type(shunt_value_at(map, i)) == SHUNT_INTEGER)
            table_cellf(t, "%" PRId64, shunt_value_integer(shunt_value_at(map, i)));
        else
            table_cell(t, text_of(shunt_value_at(map, i)));
    }
}

static void time_line(struct table *t, const char *title, const struct shunt_value *value)
{
    char time[32];
    char age[32];
    const char *text = record_time(time, value);
    table_cell(t, title);
    if (text)
        table_cellf(t, "%s (%s ago)", text, record_age(age, value));
    else
        table_cell(t, NULL);
}

void record_lines(struct table *t, const struct record_field *fields, const struct shunt_value *record)
{
    char text[32];
    for (const struct record_field *field = fields; field->key; field++) {
        const struct shunt_value *value = shunt_value_get(record, field->key);
        if (!field->title || field->kind >= RECORD_LIST)
            continue;
        if (shunt_value_type(value) == SHUNT_NIL && field->kind != RECORD_MAP) {
            pair(t, field->title, NULL);
        } else if (field->kind == RECORD_MAP || field->kind == RECORD_POLICY) {
            map_lines(t, field, value);
        } else if (field->kind == RECORD_TIME) {
            time_line(t, field->title, value);
        } else if (field->kind == RECORD_SIZE) {
            pair(t, field->title, shunt_format_size(text, shunt_value_integer(value)));
        } else if (field->kind == RECORD_SPAN) {
            pair(t, field->title, shunt_format_duration(text, shunt_value_integer(value)));
        } else if (field->kind == RECORD_FLAG) {
            pair(t, field->title, shunt_value_integer(value) ? "yes" : "no");
        } else if (field->kind == RECORD_COUNT) {
            table_cell(t, field->title);
            table_cellf(t, "%" PRId64, shunt_value_integer(value));
        } else {
            pair(t, field->title, text_of(value));
        }
    }
}
