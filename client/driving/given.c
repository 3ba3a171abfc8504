/* given: see given.h. */
#include "client/driving/given.h"

#include "base/utf8.h"
#include "client/wire/error.h"
#include <string.h>

#define STRUCT_BYTES_MAX 4096 /* more than that is a `size` nobody has set */
#define ID_BYTES_MAX     300

int given_struct(void *to, size_t room, const void *from, struct shunt_error *err)
{
    size_t size;
    memcpy(&size, from, sizeof size);
    if (size < sizeof size || size > STRUCT_BYTES_MAX)
        return error_set(err, SHUNT_BAD_ARGUMENT, "the member `size` of a struct must be its sizeof");
    for (size_t i = room; i < size; i++) {
        if (((const unsigned char *)from)[i])
            return error_set(err, SHUNT_UNSUPPORTED, "a struct has a member that this library does not know");
    }
    memset(to, 0, room);
    memcpy(to, from, size < room ? size : room);
    return 0;
}

int given_text(const char *text, const char *what, struct slice *ret, struct shunt_error *err)
{
    if (text && (!*text || !utf8_valid(text, strlen(text))))
        return error_set(err, SHUNT_BAD_ARGUMENT, "%s must be text in UTF-8, and not empty", what);
    *ret = slice_of(text);
    return 0;
}

int given_filter(const struct shunt_dlq_filter *f, struct dead_filter *ret, struct shunt_error *err)
{
    struct shunt_dlq_filter given = {0};
    *ret = (struct dead_filter){0};
    int rc = f ? given_struct(&given, sizeof given, f, err) : 0;
    const struct {
        const char *text, *what;
        struct slice *to;
    } texts[] = {{given.cause, "the cause", &ret->cause},
                 {given.reason, "the reason", &ret->reason},
                 {given.type, "the type", &ret->type},
                 {given.match, "the text to match", &ret->match},
                 {given.header, "the header's name", &ret->header.name}};
    for (size_t i = 0; rc == 0 && i < sizeof texts / sizeof *texts; i++)
        rc = given_text(texts[i].text, texts[i].what, texts[i].to, err);
    if (rc == 0 && given.since_ms < 0)
        rc = error_set(err, SHUNT_BAD_ARGUMENT, "since_ms is a time after 1970");
    if (rc == 0 && given.key && !given.key_bytes)
        rc = error_set(err, SHUNT_BAD_ARGUMENT, "no message has an empty key");
    if (rc != 0)
        return rc;
    ret->since = (uint64_t)given.since_ms;
    ret->header.value = (struct slice){given.header_value, given.header_value ? given.header_value_bytes : 0};
    ret->key = (struct slice){given.key, given.key ? given.key_bytes : 0};
    return 0;
}

int given_id(const char *id, struct shunt_error *err)
{
    if (!id)
        return error_set(err, SHUNT_BAD_ARGUMENT, "a dead letter must be named");
    size_t size = strlen(id);
    if (size > 0 && size < ID_BYTES_MAX && utf8_valid(id, size))
        return 0;
    return error_set(err, SHUNT_BAD_ARGUMENT, "\"%.100s\" cannot name a message",
                     utf8_valid(id, size) ? id : "?");
}

int given_ids(const char *const *ids, size_t count, struct mpack_buffer *names, struct wire_list *ret,
              struct shunt_error *err)
{
    if (count > IDS_MAX)
        return error_set(err, SHUNT_BAD_ARGUMENT, "at most %d ids in one call", IDS_MAX);
    for (size_t i = 0; i < count; i++) {
        int rc = given_id(ids[i], err);
        if (rc != 0)
            return rc;
        mpack_write_cstr(names, ids[i]);
    }
    *ret = (struct wire_list){(uint32_t)count, {names->data, names->size}};
    return names->failed ? error_set(err, SHUNT_NO_MEMORY, NULL) : 0;
}
