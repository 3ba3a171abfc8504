/* json_answer: see json_answer.h. */
#include "broker/http/json_answer.h"

#include "base/base64.h"
#include "base/utf8.h"

#define STRING_PART_BYTES 3072 /* of a string in one step; a multiple of three */
#define OUT_BYTES         8192 /* that are made before some are taken */

static const char *const message_names[] = {"body", "headers", "key", "delay", "ttl", "deadline", NULL};

static void push(struct json_answer *j, enum json_level_kind kind, uint32_t count, const char *const *names,
                 bool free_keys)
{
    if (j->depth == JSON_DEPTH_MAX) { /* a validated frame is not so deep */
        j->r.failed = true;
        return;
    }
    j->levels[j->depth++] =
        (struct json_level){.kind = kind, .left = count, .names = names, .free_keys = free_keys};
    text_add(&j->out, kind == LEVEL_ARRAY ? "[" : "{");
}

static void begin_string(struct json_answer *j, struct slice bytes, bool base64, const char *after)
{
    j->string = bytes;
    j->base64 = base64;
    j->after = after;
}

static void put_key(struct json_answer *j, struct slice key, const char *suffix)
{
    text_add(&j->out, "\"");
    text_add_json_part(&j->out, key.data, key.size);
    text_add(&j->out, suffix);
    text_add(&j->out, "\":");
}

/* `key` is that of a member; `data` NULL: there is none. */
static void put_bytes(struct json_answer *j, struct slice key, bool free_keys)
{
    struct slice bytes = mpack_read_text_or_bin(&j->r);
    bool text = utf8_valid(bytes.data, bytes.size), object = !text && (free_keys || !key.data);
    if (key.data)
        put_key(j, key, text || object ? "" : "_base64");
    text_add(&j->out, object ? "{\"base64\":\"" : "\"");
    begin_string(j, bytes, !text, object ? "\"}" : "\"");
}

static void put_number(struct json_answer *j)
{
    struct mpack_reader before = j->r;
    uint64_t value = mpack_read_uint(&j->r);
    if (j->r.failed) { /* it is negative */
        j->r = before;
        int64_t negative = mpack_read_int(&j->r);
        text_add(&j->out, "-");
        value = 0 - (uint64_t)negative;
    }
    text_add_u64(&j->out, value);
}

static void put_array(struct json_answer *j, struct slice key)
{
    uint32_t count = mpack_read_array(&j->r);
    if (slice_is(key, "message"))
        push(j, LEVEL_NAMED, count, message_names, false);
    else
        push(j, LEVEL_ARRAY, count, NULL, false);
}

static void put_value(struct json_answer *j, struct slice key, bool free_keys)
{
    enum mpack_type type = mpack_peek(&j->r);
    if (type == MPACK_STR || type == MPACK_BIN) {
        put_bytes(j, key, free_keys);
        return;
    }
    if (key.data)
        put_key(j, key, "");
    switch (type) {
    case MPACK_BOOL:
        text_add(&j->out, mpack_read_bool(&j->r) ? "true" : "false");
        break;
    case MPACK_INT:
        put_number(j);
        break;
    case MPACK_ARRAY:
        put_array(j, key);
        break;
    case MPACK_MAP:
        push(j, LEVEL_MAP, mpack_read_map(&j->r), NULL, slice_is(key, "headers"));
        break;
    case MPACK_NIL:
    case MPACK_FLOAT: /* no answer has one */
    case MPACK_STR:
    case MPACK_BIN:
    case MPACK_END:
        (void)mpack_read_any(&j->r);
        text_add(&j->out, "null");
        break;
    }
}

static void put_string(struct json_answer *j)
{
    size_t size = j->string.size < STRING_PART_BYTES ? j->string.size : STRING_PART_BYTES;
    const char *bytes = j->string.data;
    if (j->base64) {
        char encoded[base64_size(STRING_PART_BYTES)];
        base64_encode(encoded, bytes, size);
        text_add_bytes(&j->out, encoded, base64_size(size));
    } else {
        size = size < j->string.size ? utf8_prefix(bytes, j->string.size, size) : size;
        text_add_json_part(&j->out, bytes, size);
    }
    j->string.data = bytes + size;
    j->string.size -= size;
    if (j->string.size)
        return;
    text_add(&j->out, j->after);
    j->after = NULL;
}

static void put_next(struct json_answer *j)
{
    text_add(&j->out, ",\"next\":");
    text_add(&j->out, j->next.size ? "\"" : "null");
    text_add_json_part(&j->out, j->next.data, j->next.size);
    text_add(&j->out, j->next.size ? "\"" : "");
}

static void end_level(struct json_answer *j)
{
    const struct json_level *level = &j->levels[--j->depth];
    if (!j->depth && j->form->next)
        put_next(j);
    text_add(&j->out, level->kind == LEVEL_ARRAY ? "]" : "}");
    if (!j->depth)
        text_add(&j->out, "\n");
}

/* The next element or pair. */
static void put_element(struct json_answer *j, struct json_level *level)
{
    struct slice key = {0};
    bool free_keys = level->free_keys;
    level->left--;
    if (level->kind == LEVEL_NAMED && !*level->names) {
        (void)mpack_read_any(&j->r); /* of a later version */
        return;
    }
    text_add(&j->out, level->begun ? "," : "");
    level->begun = true;
    if (level->kind == LEVEL_MAP)
        key = mpack_read_str(&j->r);
    else if (level->kind == LEVEL_NAMED)
        key = slice_of(*level->names++);
    put_value(j, key, free_keys);
}

static void step(struct json_answer *j)
{
    struct json_level *level = j->depth ? &j->levels[j->depth - 1] : NULL;
    if (j->after)
        put_string(j);
    else if (!level || j->r.failed)
        j->ended = true;
    else if (!level->left)
        end_level(j);
    else
        put_element(j, level);
}

/* The value of `name` in the last map of the array at `r`. */
static struct slice last_of(struct mpack_reader r, const char *name)
{
    struct slice found = {0};
    uint32_t rows = mpack_read_array(&r);
    for (uint32_t i = 0; i < rows && !r.failed; i++) {
        uint32_t pairs = mpack_read_map(&r);
        for (uint32_t k = 0; k < pairs && !r.failed; k++) {
            struct slice key = mpack_read_str(&r);
            if (slice_is(key, name))
                found = mpack_read_str(&r);
            else
                (void)mpack_read_any(&r);
        }
    }
    return found;
}

void json_answer_begin(struct json_answer *j, struct slice payload, const struct api_answer *form)
{
    *j = (struct json_answer){.magic = JSON_ANSWER_MAGIC, .form = form};
    mpack_read_init(&j->r, payload.data, payload.size);
    uint32_t fields = mpack_read_array(&j->r);
    (void)mpack_read_uint(&j->r); /* OK … */
    (void)mpack_read_uint(&j->r); /* … and its id: the caller knows them */
    if (form->next)
        j->next = last_of(j->r, form->next);
    if (form->names[0])
        push(j, LEVEL_NAMED, fields > 2 ? fields - 2 : 0, form->names, false);
    else
        put_value(j, (struct slice){0}, false);
}

void json_answer_done(struct json_answer *j)
{
    text_done(&j->out);
}

size_t json_answer_take(struct json_answer *j, char *to, size_t max)
{
    while (!j->ended && !j->out.failed && j->out.size < OUT_BYTES && j->out.size < max)
        step(j);
    size_t size = j->out.size < max ? j->out.size : max;
    if (j->out.failed || !size)
        return 0;
    memcpy(to, j->out.data, size);
    j->out.size -= size;
    memmove(j->out.data, j->out.data + size, j->out.size);
    return size;
}

bool json_answer_failed(const struct json_answer *j)
{
    return j->out.failed || j->r.failed;
}
