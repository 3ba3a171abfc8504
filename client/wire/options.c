/* options: a list of keys and values. Lists have a dozen entries at most, so it is walked. */
#include "client/wire/options.h"
#include "base/array.h"
#include "base/secret.h"
#include "client/wire/error.h"
#include "proto/units.h"
#include <stdlib.h>
#include <string.h>

struct shunt_options {
    struct option *rows;
    size_t count;
    size_t capacity;
};

struct shunt_options *shunt_options_new(void)
{
    return calloc(1, sizeof(struct shunt_options));
}

/* It may be a password. */
static void free_value(struct option *row)
{
    if (row->value)
        secret_wipe(row->value, strlen(row->value));
    free(row->value);
}

void shunt_options_free(struct shunt_options *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->count; i++) {
        free(o->rows[i].key);
        free_value(&o->rows[i]);
    }
    free(o->rows);
    free(o);
}

static struct option *find(const struct shunt_options *o, const char *key)
{
    for (size_t i = 0; o && i < o->count; i++) {
        if (strcmp(o->rows[i].key, key) == 0)
            return &o->rows[i];
    }
    return NULL;
}

static void take_out(struct shunt_options *o, struct option *row)
{
    free(row->key);
    free_value(row);
    size_t i = (size_t)(row - o->rows);
    memmove(row, row + 1, (o->count - i - 1) * sizeof *row);
    o->count--;
}

static int append(struct shunt_options *o, const char *key, char *value)
{
    if (!array_room(&o->rows, &o->capacity, o->count + 1))
        return SHUNT_NO_MEMORY;
    char *copy = strdup(key);
    if (!copy)
        return SHUNT_NO_MEMORY;
    o->rows[o->count++] = (struct option){.key = copy, .value = value};
    return 0;
}

int shunt_options_set(struct shunt_options *o, const char *key, const char *value)
{
    struct option *row = find(o, key);
    if (!value) {
        if (row)
            take_out(o, row);
        return 0;
    }
    char *copy = strdup(value);
    if (!copy)
        return SHUNT_NO_MEMORY;
    if (row) {
        free_value(row);
        row->value = copy;
        return 0;
    }
    int rc = append(o, key, copy);
    if (rc != 0)
        free(copy);
    return rc;
}

const struct option *options_at(const struct shunt_options *o, size_t i)
{
    return o && i < o->count ? &o->rows[i] : NULL;
}

const char *options_get(const struct shunt_options *o, const char *key)
{
    const struct option *row = find(o, key);
    return row ? row->value : NULL;
}

int options_allow(const struct shunt_options *o, const char *const *keys, struct shunt_error *err)
{
    const struct option *row;
    for (size_t i = 0; (row = options_at(o, i)); i++) {
        size_t k = 0;
        while (keys[k] && strcmp(keys[k], row->key) != 0)
            k++;
        if (!keys[k])
            return error_set(err, SHUNT_BAD_ARGUMENT, "there is no option \"%.100s\" here", row->key);
    }
    return 0;
}

static int bad(struct shunt_error *err, const char *key, const char *value, const char *why)
{
    return error_set(err, SHUNT_BAD_ARGUMENT, "option %s: \"%.100s\": %s", key, value, why);
}

int options_count(const struct shunt_options *o, const char *key, int64_t min, int64_t max, int64_t *ret,
                  struct shunt_error *err)
{
    const char *value = options_get(o, key), *why = NULL;
    if (!value || units_parse_count(value, min, max, ret, &why))
        return 0;
    return bad(err, key, value, why);
}

int options_duration(const struct shunt_options *o, const char *key, int64_t max_ms, int64_t *ret_ms,
                     struct shunt_error *err)
{
    const char *value = options_get(o, key), *why = NULL;
    if (!value || units_parse_duration(value, max_ms, ret_ms, &why))
        return 0;
    return bad(err, key, value, why);
}

int options_size(const struct shunt_options *o, const char *key, int64_t min, int64_t max, int64_t *ret_bytes,
                 struct shunt_error *err)
{
    const char *value = options_get(o, key), *why = NULL;
    int64_t bytes = 0;
    if (!value)
        return 0;
    if (!units_parse_size(value, max, &bytes, &why))
        return bad(err, key, value, why);
    if (bytes < min)
        return bad(err, key, value, "too small");
    *ret_bytes = bytes;
    return 0;
}

int options_yes(const struct shunt_options *o, const char *key, bool *ret, struct shunt_error *err)
{
    const char *value = options_get(o, key);
    if (!value)
        return 0;
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return bad(err, key, value, "say yes or no");
    *ret = value[0] == 'y';
    return 0;
}
