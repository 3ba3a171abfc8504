/* json: a comma goes before each member but the first of its container; one bit for each depth remembers
 * which it is. */
#include "cli/json.h"

#include <inttypes.h>
#include <string.h>

#include "base/base64.h"
#include "base/check.h"
#include "base/utf8.h"

void json_init(struct json *j, FILE *out, bool pretty)
{
    *j = (struct json){.out = out, .pretty = pretty};
}

static void new_line(struct json *j)
{
    if (!j->pretty)
        return;
    fprintf(j->out, "\n%*s", (int)(j->depth * 2), "");
}

/* What stands before any value or key. */
static void before(struct json *j)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    if (j->depth == 0)
        return;
    if (j->started & (UINT64_C(1) << j->depth))
        fputc(',', j->out);
    j->started |= UINT64_C(1) << j->depth;
    new_line(j);
}

static void open_container(struct json *j, char bracket)
{
    before(j);
    fputc(bracket, j->out);
    if (j->depth < JSON_DEPTH_MAX)
        j->depth++;
    j->started &= ~(UINT64_C(1) << j->depth);
}

static void close_container(struct json *j, char bracket)
{
    bool filled = (j->started & (UINT64_C(1) << j->depth)) != 0;
    check(j->depth > 0);
    j->depth--;
    if (filled)
        new_line(j);
    fputc(bracket, j->out);
}

void json_object(struct json *j)
{
    open_container(j, '{');
}

void json_object_end(struct json *j)
{
    close_container(j, '}');
}

void json_array(struct json *j)
{
    open_container(j, '[');
}

void json_array_end(struct json *j)
{
    close_container(j, ']');
}

/* Bytes that may stand in a string as they are, written in runs. */
static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

static void escape(FILE *out, unsigned char byte)
{
    static const char letters[] = "\"\\\b\f\n\r\t";
    static const char escaped[] = "\"\\bfnrt";
    const char *at = byte ? strchr(letters, byte) : NULL;
    if (at)
        fprintf(out, "\\%c", escaped[at - letters]);
    else
        fprintf(out, "\\u%04x", byte);
}

static void quoted(FILE *out, const char *text, size_t bytes)
{
    fputc('"', out);
    for (size_t i = 0; i < bytes;) {
        size_t run = i;
        while (run < bytes && is_plain((unsigned char)text[run]))
            run++;
        if (run > i) {
            fwrite(text + i, 1, run - i, out);
            i = run;
            continue;
        }
        size_t step = utf8_step(text + i, bytes - i);
        if (step == 0)
            fputs("\\ufffd", out);
        else if (step == 1)
            escape(out, (unsigned char)text[i]);
        else
            fwrite(text + i, 1, step, out);
        i += step ? step : 1;
    }
    fputc('"', out);
}

void json_key_bytes(struct json *j, const char *key, size_t bytes)
{
    before(j);
    quoted(j->out, key, bytes);
    fputs(j->pretty ? ": " : ":", j->out);
    j->after_key = true;
}

void json_key(struct json *j, const char *key)
{
    json_key_bytes(j, key, strlen(key));
}

void json_text(struct json *j, const char *text, size_t bytes)
{
    before(j);
    quoted(j->out, text, bytes);
}

void json_string(struct json *j, const char *text)
{
    if (text)
        json_text(j, text, strlen(text));
    else
        json_null(j);
}

void json_base64(struct json *j, const void *data, size_t bytes)
{
    enum { PART = 3 * 256 }; /* of three, so that no padding comes before the end */
    char text[base64_size(PART)];
    before(j);
    fputc('"', j->out);
    for (size_t i = 0; i < bytes; i += PART) {
        size_t size = bytes - i < PART ? bytes - i : PART;
        base64_encode(text, (const char *)data + i, size);
        fwrite(text, 1, base64_size(size), j->out);
    }
    fputc('"', j->out);
}

void json_integer(struct json *j, int64_t value)
{
    before(j);
    fprintf(j->out, "%" PRId64, value);
}

void json_unsigned(struct json *j, uint64_t value)
{
    before(j);
    fprintf(j->out, "%" PRIu64, value);
}

void json_bool(struct json *j, bool value)
{
    before(j);
    fputs(value ? "true" : "false", j->out);
}

void json_null(struct json *j)
{
    before(j);
    fputs("null", j->out);
}

void json_base64_object(struct json *j, const void *data, size_t bytes)
{
    json_object(j);
    json_key(j, "base64");
    json_base64(j, data, bytes);
    json_object_end(j);
}

void json_bytes_member(struct json *j, const char *key, const void *data, size_t bytes)
{
    char longer[64];
    if (data && !utf8_valid(data, bytes)) {
        (void)snprintf(longer, sizeof longer, "%s_base64", key); /* keys are ours, and short */
        json_key(j, longer);
        json_base64(j, data, bytes);
        return;
    }
    json_key(j, key);
    if (data)
        json_text(j, data, bytes);
    else
        json_null(j);
}

void json_end(struct json *j)
{
    fputc('\n', j->out);
    j->depth = 0;
    j->started = 0;
    j->after_key = false;
}
