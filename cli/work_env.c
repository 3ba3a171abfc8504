/* work_env: a vector of NAME=VALUE for posix_spawn. */
#include "cli/work_env.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "cli/deadline.h"
#include "cli/delivered.h"
#include "cli/json.h"
#include "client/shunt.h"

#define HEADER_PREFIX "SHUNT_HEADER_"

static const char *const names[] = {
    "SHUNT_TOPIC=",      "SHUNT_GROUP=",    "SHUNT_MESSAGE=", "SHUNT_ATTEMPT=",      "SHUNT_KEY=",
    "SHUNT_KEY_BASE64=", "SHUNT_BASE_KEY=", "SHUNT_HEADERS=", DEADLINE_VARIABLE "=", HEADER_PREFIX};

static bool is_message_name(const char *entry)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strncmp(entry, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

/* Append an entry, or only the closing NULL. */
static bool append(struct work_env *e, char *entry)
{
    if (!array_room(&e->entries, &e->room, e->count + 2)) {
        e->failed = true;
        return false;
    }
    if (entry)
        e->entries[e->count++] = entry;
    e->entries[e->count] = NULL;
    return true;
}

void work_env_init(struct work_env *e, char *const *inherited)
{
    *e = (struct work_env){0};
    (void)append(e, NULL); /* `failed` is told at the end */
    for (size_t i = 0; inherited[i]; i++) {
        if (!is_message_name(inherited[i]))
            (void)append(e, inherited[i]);
    }
    e->owned = e->count;
}

void work_env_done(struct work_env *e)
{
    for (size_t i = e->owned; i < e->count; i++)
        free(e->entries[i]);
    free(e->entries);
    *e = (struct work_env){0};
}

/* Takes `entry`. */
static void append_owned(struct work_env *e, char *entry)
{
    if (!entry)
        e->failed = true;
    else if (!append(e, entry))
        free(entry);
}

void work_env_set(struct work_env *e, const char *name, const char *value)
{
    char *entry = NULL;
    append_owned(e, asprintf(&entry, "%s=%s", name, value) < 0 ? NULL : entry);
}

static char upper(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
}

static bool is_set(const struct work_env *e, const char *entry, size_t name_bytes)
{
    for (size_t i = e->owned; i < e->count; i++) {
        if (strncmp(e->entries[i], entry, name_bytes) == 0)
            return true;
    }
    return false;
}

static void copy_value(char *to, const void *value, size_t bytes)
{
    if (bytes)
        memcpy(to, value, bytes);
    to[bytes] = '\0';
    for (char *nul = to; (nul = memchr(nul, '\0', bytes - (size_t)(nul - to))); nul++)
        *nul = '?';
}

void work_env_set_header(struct work_env *e, const char *key, size_t key_bytes, const void *value,
                         size_t value_bytes)
{
    size_t prefix = strlen(HEADER_PREFIX);
    char *entry = malloc(prefix + key_bytes + 1 + value_bytes + 1);
    if (!entry) {
        e->failed = true;
        return;
    }
    memcpy(entry, HEADER_PREFIX, prefix);
    for (size_t i = 0; i < key_bytes; i++)
        entry[prefix + i] = upper(key[i]);
    entry[prefix + key_bytes] = '=';
    if (is_set(e, entry, prefix + key_bytes + 1)) {
        free(entry);
        return;
    }
    copy_value(entry + prefix + key_bytes + 1, value, value_bytes);
    append_owned(e, entry);
}

void work_env_set_bytes(struct work_env *e, const char *name, const void *value, size_t value_bytes)
{
    size_t name_bytes = strlen(name);
    char *entry = malloc(name_bytes + 1 + value_bytes + 1);
    if (entry) {
        memcpy(entry, name, name_bytes);
        entry[name_bytes] = '=';
        copy_value(entry + name_bytes + 1, value, value_bytes);
    }
    append_owned(e, entry);
}

/* ---- of a message */

static void set_headers(struct work_env *e, const struct shunt_delivery *d)
{
    static const char name[] = "SHUNT_HEADERS";
    char *text = NULL;
    size_t bytes = 0;
    struct json j;
    FILE *stream = open_memstream(&text, &bytes);
    if (!stream) {
        e->failed = true;
        return;
    }
    json_init(&j, stream, false);
    delivered_headers(&j, d, true);
    if (fclose(stream))
        e->failed = true;
    else if (sizeof name + 1 + bytes <= WORK_ENV_ENTRY_BYTES)
        work_env_set_bytes(e, name, text, bytes);
    free(text);
}

/* By the clock of this machine, which may differ from the broker's: that is the one that the command looks at. */
static void set_deadline(struct work_env *e, const struct shunt_delivery *d)
{
    char number[24];
    int64_t left_ms = shunt_message_remaining_ms(d);
    if (left_ms < 0)
        return;
    (void)snprintf(number, sizeof number, "%" PRId64, clock_wall_ms() + left_ms);
    work_env_set(e, DEADLINE_VARIABLE, number);
}

static void set_key(struct work_env *e, const struct shunt_delivery *d)
{
    char *text = NULL;
    size_t text_bytes = 0;
    size_t bytes = 0;
    size_t base_bytes = 0;
    struct json j;
    const void *base;
    const void *key = shunt_delivery_key(d, &bytes);
    if (!key)
        return;
    work_env_set_bytes(e, "SHUNT_KEY", key, bytes);
    base = shunt_delivery_base_key(d, &base_bytes);
    work_env_set_bytes(e, "SHUNT_BASE_KEY", base, base_bytes);
    if (utf8_valid(key, bytes) && !memchr(key, '\0', bytes))
        return;
    FILE *stream = open_memstream(&text, &text_bytes);
    if (!stream) {
        e->failed = true;
        return;
    }
    json_init(&j, stream, false);
    json_base64(&j, key, bytes);
    if (fclose(stream))
        e->failed = true;
    else
        work_env_set_bytes(e, "SHUNT_KEY_BASE64", text + 1, text_bytes - 2); /* without the quotes */
    free(text);
}

struct work_env *work_env_of(char *const *inherited, const struct shunt_delivery *d)
{
    char number[24];
    const char *key = NULL;
    const void *value = NULL;
    size_t key_bytes = 0;
    size_t value_bytes = 0;
    struct work_env *e = malloc(sizeof *e);
    if (!e)
        return NULL;
    work_env_init(e, inherited);
    (void)snprintf(number, sizeof number, "%" PRIu64, (uint64_t)shunt_delivery_attempts(d) + 1);
    work_env_set(e, "SHUNT_TOPIC", shunt_delivery_topic(d));
    work_env_set(e, "SHUNT_GROUP", shunt_delivery_group(d));
    work_env_set(e, "SHUNT_MESSAGE", shunt_delivery_id(d));
    work_env_set(e, "SHUNT_ATTEMPT", number);
    set_deadline(e, d);
    set_key(e, d);
    for (size_t i = 0; shunt_delivery_header_at(d, i, &key, &key_bytes, &value, &value_bytes); i++)
        work_env_set_header(e, key, key_bytes, value, value_bytes);
    set_headers(e, d);
    if (!e->failed)
        return e;
    work_env_done(e);
    free(e);
    return NULL;
}
