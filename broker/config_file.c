/* config_file: the configuration file, a YAML mapping from names of settings to values.
 *
 * Read with libyaml's events, because every message must name the line and the column of the very word that
 * is wrong; loaders that work from a schema say where the value before it was.
 */
#include "broker/config.h"

#include "proto/errors.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct load {
    struct config *config;
    const char *path;
    const char *bytes;
    size_t size;
    char *why;
    size_t why_bytes;
    yaml_parser_t parser;
    bool seen[CONFIG_COUNT];
};

static int read_file(const char *path, char **ret, size_t *ret_size, char *ret_why, size_t why_bytes);
static int load_document(struct load *l);
static int load_pair(struct load *l, const yaml_event_t *key);
static int load_value(struct load *l, int field, const yaml_event_t *value);
static int next(struct load *l, yaml_event_t *ret);
static yaml_mark_t mark_of(const struct load *l, size_t offset);
static int fail(const struct load *l, yaml_mark_t mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int config_load(struct config *c, const char *path, char *ret_why, size_t why_bytes)
{
    char *bytes = NULL;
    size_t size = 0;
    int err = read_file(path, &bytes, &size, ret_why, why_bytes);
    if (err)
        return err;
    struct load l = {
        .config = c, .path = path, .bytes = bytes, .size = size, .why = ret_why, .why_bytes = why_bytes};
    if (!yaml_parser_initialize(&l.parser)) {
        (void)snprintf(ret_why, why_bytes, "%s: %s", path, err_text(SHUNT_NO_MEMORY));
        free(bytes);
        return SHUNT_NO_MEMORY;
    }
    yaml_parser_set_input_string(&l.parser, (const unsigned char *)bytes, size);
    err = load_document(&l);
    yaml_parser_delete(&l.parser);
    free(bytes);
    return err;
}

static int read_file(const char *path, char **ret, size_t *ret_size, char *ret_why, size_t why_bytes)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        (void)snprintf(ret_why, why_bytes, "%s: %s", path, strerror(errno));
        return SHUNT_IO;
    }
    char *bytes = malloc(CONFIG_FILE_BYTES_MAX + 1);
    size_t size = bytes ? fread(bytes, 1, CONFIG_FILE_BYTES_MAX + 1, file) : 0;
    int err = 0;
    if (!bytes) {
        err = SHUNT_NO_MEMORY;
        (void)snprintf(ret_why, why_bytes, "%s: %s", path, err_text(err));
    } else if (ferror(file)) {
        err = SHUNT_IO;
        (void)snprintf(ret_why, why_bytes, "%s: %s", path, strerror(errno));
    } else if (size > CONFIG_FILE_BYTES_MAX) {
        err = SHUNT_BAD_ARGUMENT;
        (void)snprintf(ret_why, why_bytes, "%s:1:1: longer than %d bytes", path, CONFIG_FILE_BYTES_MAX);
    }
    (void)fclose(file); /* only read from */
    if (err) {
        free(bytes);
        return err;
    }
    *ret = bytes;
    *ret_size = size;
    return 0;
}

/* stream start, document start, mapping start, pairs, mapping end, document end, stream end; or nothing at
 * all. */
static int load_document(struct load *l)
{
    yaml_event_t event;
    int depth = 0;
    for (;;) {
        int err = next(l, &event);
        if (err)
            return err;
        yaml_event_type_t type = event.type;
        if (depth == 1 && type == YAML_SCALAR_EVENT)
            err = load_pair(l, &event);
        else if (depth == 1 && type != YAML_MAPPING_END_EVENT)
            err = fail(l, event.start_mark, "the name of a setting must be plain text");
        else if (type == YAML_MAPPING_START_EVENT)
            depth = 1;
        else if (type == YAML_MAPPING_END_EVENT)
            depth = 2;
        else if (type == YAML_DOCUMENT_START_EVENT && depth == 2)
            err = fail(l, event.start_mark, "a second document");
        else if (type == YAML_SEQUENCE_START_EVENT || type == YAML_ALIAS_EVENT ||
                 (type == YAML_SCALAR_EVENT && event.data.scalar.length > 0))
            err = fail(l, event.start_mark, "the file must be lines of the form `name: value`");
        yaml_event_delete(&event);
        if (err || type == YAML_STREAM_END_EVENT)
            return err;
    }
}

static int load_pair(struct load *l, const yaml_event_t *key)
{
    const char *name = (const char *)key->data.scalar.value;
    int field = config_find(name);
    if (field < 0)
        return fail(l, key->start_mark, "unknown setting `%.100s`", name);
    if (l->seen[field])
        return fail(l, key->start_mark, "`%s` is set twice", name);
    l->seen[field] = true;
    yaml_event_t value;
    int err = next(l, &value);
    if (err)
        return err;
    err = load_value(l, field, &value);
    yaml_event_delete(&value);
    return err;
}

static int load_value(struct load *l, int field, const yaml_event_t *value)
{
    if (value->type != YAML_SCALAR_EVENT)
        return fail(l, value->start_mark, "%s: must be a plain value", config_rows[field].name);
    const char *text = (const char *)value->data.scalar.value;
    if (strlen(text) != value->data.scalar.length)
        return fail(l, value->start_mark, "%s: holds a zero byte", config_rows[field].name);
    char why[CONFIG_WHY_BYTES];
    int err = config_set(l->config, (enum config_field)field, text, why, sizeof why);
    return err == SHUNT_BAD_ARGUMENT ? fail(l, value->start_mark, "%s", why) : err;
}

static int next(struct load *l, yaml_event_t *ret)
{
    if (yaml_parser_parse(&l->parser, ret))
        return 0;
    if (l->parser.error == YAML_MEMORY_ERROR) {
        (void)snprintf(l->why, l->why_bytes, "%s: %s", l->path, err_text(SHUNT_NO_MEMORY));
        return SHUNT_NO_MEMORY;
    }
    /* A reader's error (bytes that are not UTF-8) has an offset instead of a mark. */
    bool unreadable = l->parser.error == YAML_READER_ERROR;
    yaml_mark_t mark = unreadable ? mark_of(l, l->parser.problem_offset) : l->parser.problem_mark;
    return fail(l, mark, "not YAML: %s", l->parser.problem ? l->parser.problem : "unknown error");
}

static yaml_mark_t mark_of(const struct load *l, size_t offset)
{
    yaml_mark_t mark = {0};
    for (; mark.index < offset && mark.index < l->size; mark.index++) {
        mark.column++;
        if (l->bytes[mark.index] == '\n') {
            mark.line++;
            mark.column = 0;
        }
    }
    return mark;
}

static int fail(const struct load *l, yaml_mark_t mark, const char *format, ...)
{
    int used = snprintf(l->why, l->why_bytes, "%s:%zu:%zu: ", l->path, mark.line + 1, mark.column + 1);
    if (used > 0 && (size_t)used < l->why_bytes) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(l->why + used, l->why_bytes - (size_t)used, format, arguments);
        va_end(arguments);
    }
    return SHUNT_BAD_ARGUMENT;
}
