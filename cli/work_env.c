/* work_env: a vector of NAME=VALUE for posix_spawn. */
#include "cli/work_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_PREFIX "SHUNT_HEADER_"

static const char *const names[] = {
    "SHUNT_TOPIC=", "SHUNT_GROUP=", "SHUNT_MESSAGE=", "SHUNT_ATTEMPT=", HEADER_PREFIX};

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
    if (e->count + 1 >= e->room) {
        size_t room = e->room ? e->room * 2 : 64;
        char **entries = realloc(e->entries, room * sizeof *entries);
        if (!entries) {
            e->failed = true;
            return false;
        }
        e->entries = entries;
        e->room = room;
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
    char *text = entry + prefix + key_bytes + 1;
    if (value_bytes)
        memcpy(text, value, value_bytes);
    text[value_bytes] = '\0';
    for (char *nul = text; (nul = memchr(nul, '\0', value_bytes - (size_t)(nul - text))); nul++)
        *nul = '?';
    append_owned(e, entry);
}
