/* json_pretty: reads by the grammar of RFC 8259, and writes what it has read with other white space. */
#include "cli/json_pretty.h"

#include <string.h>

#include "cli/json.h"

struct reader {
    const char *at, *end;
    FILE *out;
    unsigned depth; /* of open containers */
};

static void skip_space(struct reader *r)
{
    while (r->at < r->end && memchr(" \t\r\n", *r->at, 4))
        r->at++;
}

static bool is_next(const struct reader *r, char c)
{
    return r->at < r->end && *r->at == c;
}

static bool take(struct reader *r, char c)
{
    if (!is_next(r, c))
        return false;
    r->at++;
    return true;
}

static bool take_word(struct reader *r, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
        return false;
    r->at += len;
    return true;
}

static size_t take_digits(struct reader *r)
{
    const char *from = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return (size_t)(r->at - from);
}

static bool take_number(struct reader *r)
{
    (void)take(r, '-');
    const char *from = r->at;
    size_t digits = take_digits(r);
    if (digits == 0 || (digits > 1 && *from == '0'))
        return false;
    if (take(r, '.') && take_digits(r) == 0)
        return false;
    if (!take(r, 'e') && !take(r, 'E'))
        return true;
    (void)(take(r, '+') || take(r, '-'));
    return take_digits(r) > 0;
}

static bool take_escape(struct reader *r)
{
    if (r->at == r->end)
        return false;
    char kind = *r->at++;
    if (kind != 'u')
        return memchr("\"\\/bfnrt", kind, 8) != NULL;
    for (int i = 0; i < 4; i++, r->at++) {
        if (r->at == r->end || !memchr("0123456789abcdefABCDEF", *r->at, 22))
            return false;
    }
    return true;
}

static bool take_string(struct reader *r)
{
    if (!take(r, '"'))
        return false;
    while (r->at < r->end && (unsigned char)*r->at >= 0x20) {
        char c = *r->at++;
        if (c == '"')
            return true;
        if (c == '\\' && !take_escape(r))
            return false;
    }
    return false;
}

/* What is neither an object nor an array. */
static bool write_scalar(struct reader *r, bool is_key)
{
    const char *from = r->at;
    bool good = is_next(r, '"') || is_key
                    ? take_string(r)
                    : take_word(r, "true") || take_word(r, "false") || take_word(r, "null") || take_number(r);
    fwrite(from, 1, (size_t)(r->at - from), r->out);
    return good;
}

static void new_line(struct reader *r)
{
    fprintf(r->out, "\n%*s", (int)(r->depth * 2), "");
}

static bool write_value(struct reader *r);

static bool write_member(struct reader *r, bool has_key)
{
    if (has_key) {
        skip_space(r);
        if (!write_scalar(r, true))
            return false;
        skip_space(r);
        if (!take(r, ':'))
            return false;
        fputs(": ", r->out);
    }
    return write_value(r);
}

static bool write_container(struct reader *r, char begin, char end)
{
    bool filled = false;
    r->at++;
    fputc(begin, r->out);
    if (++r->depth > JSON_DEPTH_MAX)
        return false;
    skip_space(r);
    while (filled || !is_next(r, end)) {
        new_line(r);
        if (!write_member(r, begin == '{'))
            return false;
        filled = true;
        if (!take(r, ','))
            break;
        fputc(',', r->out);
    }
    r->depth--;
    if (filled)
        new_line(r);
    fputc(end, r->out);
    return take(r, end);
}

static bool write_value(struct reader *r)
{
    skip_space(r);
    bool good = is_next(r, '{')   ? write_container(r, '{', '}')
                : is_next(r, '[') ? write_container(r, '[', ']')
                                  : write_scalar(r, false);
    skip_space(r);
    return good;
}

bool json_pretty(const char *text, size_t bytes, FILE *out)
{
    struct reader r = {.at = text, .end = text + bytes, .out = out};
    skip_space(&r);
    return (is_next(&r, '{') || is_next(&r, '[')) && write_value(&r) && r.at == r.end;
}
