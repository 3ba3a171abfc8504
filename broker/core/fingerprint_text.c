/* fingerprint_text: see fingerprint_text.h.
 *
 * One pass. A token (what stands between blanks, brackets, quotes and commas) is first looked at as a whole: is
 * it a URL, an address, a path? If not, it is taken word by word.
 */
#include "broker/core/fingerprint_text.h"

#include "base/utf8.h"
#include "broker/core/fingerprint_token.h"

#define QUOTED_NAME_BYTES_MAX 64

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

/* ---- tokens ---- */

/* `https://api.example.com/v1/orders/17?x=y`: whom it was to reach stays. */
static void take_url(struct scan *s, const char *colon, const char *end)
{
    while (end < s->end && (byte_class(*end) & (WORD | TOKEN) || is_one_of(*end, "?=#;!")))
        end++;
    while (end > colon + 3 && is_one_of(end[-1], ".:?!;"))
        end--;
    words_take(s, colon);
    text_put_words(s->t, "://");
    s->mark_end = MARK_NONE;
    s->at = colon + 3;
    const char *host_end = s->at;
    while (host_end < end && !is_one_of(*host_end, "/?#"))
        host_end++;
    const char *sign = memchr(s->at, '@', (size_t)(host_end - s->at));
    if (sign)
        s->at = sign + 1; /* who asked, and with what password */
    words_take(s, host_end);
    s->at = end;
    if (end - host_end > 1)
        scan_put_mark(s, MARK_PATH);
}

struct token {
    struct slice bytes;
    unsigned seen; /* classes */
    size_t slashes, colons;
    const char *scheme_end; /* of a URL; NULL: it is none */
};

static void token_read(const struct scan *s, struct token *ret)
{
    const char *at = s->at;
    *ret = (struct token){0};
    for (; at < s->end && byte_class(*at) & (WORD | TOKEN | HIGH); at++) {
        ret->seen |= byte_class(*at);
        ret->slashes += *at == '/' || *at == '\\';
        ret->colons += *at == ':';
        if (*at == ':' && !ret->scheme_end && at > s->at && s->end - at > 3 && at[1] == '/' && at[2] == '/')
            ret->scheme_end = at;
    }
    while (at > s->at + 1 && (at[-1] == '.' || at[-1] == ':'))
        at--;
    ret->bytes = (struct slice){s->at, (size_t)(at - s->at)};
}

/* It is one value as a whole. */
static bool is_value(const struct token *t, enum mark *ret)
{
    if (!(t->seen & TOKEN))
        return false;
    *ret = token_is_path(t->bytes, t->slashes) ? MARK_PATH : MARK_ADDRESS;
    return *ret == MARK_PATH || ((t->colons > 1 || t->bytes.size == 17) && token_is_groups(t->bytes)) ||
           token_is_email(t->bytes);
}

static void take_token(struct scan *s)
{
    struct token token;
    enum mark mark;
    token_read(s, &token);
    const char *end = s->at + token.bytes.size;
    if (token.scheme_end && token.scheme_end < end) {
        take_url(s, token.scheme_end, end);
    } else if (is_value(&token, &mark)) {
        s->at = end;
        scan_put_mark(s, mark);
    } else {
        words_take(s, end);
    }
}

/* ---- quotes ---- */

struct quote {
    const char *open, *close; /* one of the bytes of `close`, if `open` is one byte */
};

static const struct quote *quote_at(const struct scan *s)
{
    static const struct quote quotes[] = {{"\"", "\""},         {"'", "'"},           {"`", "'`"},
                                          {"\u201c", "\u201d"}, {"\u2018", "\u2019"}, {"\u00ab", "\u00bb"}};
    for (size_t i = 0; i < sizeof quotes / sizeof *quotes; i++) {
        size_t size = strlen(quotes[i].open);
        if ((size_t)(s->end - s->at) > size && memcmp(s->at, quotes[i].open, size) == 0)
            return &quotes[i];
    }
    return NULL;
}

/* Where it closes, not within a word; NULL: nowhere. */
static const char *quote_end(const struct scan *s, const struct quote *q)
{
    size_t size = strlen(q->open);
    for (const char *at = s->at + size; at < s->end; at++) {
        if (size == 1 && *at == '\\')
            at++;
        else if (size == 1 ? is_one_of(*at, q->close) && (at + 1 == s->end || !(byte_class(at[1]) & WORD))
                           : (size_t)(s->end - at) >= size && memcmp(at, q->close, size) == 0)
            return at;
    }
    return NULL;
}

static bool is_name(struct slice s)
{
    const char *at = s.data;
    if (s.size == 0 || s.size > QUOTED_NAME_BYTES_MAX || byte_class(at[0]) & DIGIT)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        if (!(byte_class(at[i]) & WORD) && !is_one_of(at[i], "_.$:#!?@"))
            return false;
    }
    return true;
}

static void take_unquoted(struct scan *s)
{
    if (byte_class(*s->at) & (WORD | TOKEN | HIGH)) {
        take_token(s);
        return;
    }
    scan_put_separator(s, *s->at == '\t' || *s->at == '\n' ? ' ' : *s->at);
    s->at++;
}

/* What is quoted stays: a name in the program, or what was asserted. */
static void take_name(struct scan *s, const char *end)
{
    const char *outer = s->end;
    s->end = end;
    while (s->at < end)
        take_unquoted(s);
    s->end = outer;
}

static bool is_asserted(const struct scan *s)
{
    return slice_is(s->word, "Assertion") && s->at - s->word_end <= 2;
}

/* `b'…'` opens a quote; `can't` does not. */
static bool is_within_word(const struct scan *s)
{
    if (s->at == s->begin || !(byte_class(s->at[-1]) & WORD))
        return false;
    bool alone = s->at - s->begin == 1 || !(byte_class(s->at[-2]) & WORD);
    return !alone || !is_one_of(s->at[-1], "bBfFrRuU");
}

/* False if no quote opens here. */
static bool take_quoted(struct scan *s)
{
    const struct quote *q = quote_at(s);
    unsigned kind = 1u << ((uint8_t)*s->at & 31);
    if (!q || s->unpaired & kind || is_within_word(s))
        return false;
    const char *begin = s->at + strlen(q->open);
    const char *end = quote_end(s, q);
    if (!end && !s->cut) {
        s->unpaired |= kind;
        return false;
    }
    struct slice content = {begin, (size_t)((end ? end : s->end) - begin)};
    bool kept = (s->keeps & TEXT_KEEPS_NAMES && is_name(content)) || (end && is_asserted(s));
    s->at = begin;
    if (kept)
        take_name(s, begin + content.size);
    s->at = end ? end + strlen(q->open) : s->end;
    if (!kept)
        scan_put_mark(s, MARK_STRING);
    return true;
}

/* ---- texts ---- */

/* The end of the first line; the next one belongs to it if it ends in a colon. */
static const char *line_end(const char *at, const char *end)
{
    const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    if (newline && newline > at && newline[-1] == ':')
        newline = memchr(newline + 1, '\n', (size_t)(end - newline - 1));
    return newline ? newline : end;
}

void text_put_normal(struct text *t, struct slice from, unsigned keeps, bool cut)
{
    const char *at = from.data;
    const char *end = at + from.size;
    size_t begin = t->size;
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t'))
        at++;
    const char *last = line_end(at, end);
    struct scan s = {.t = t,
                     .begin = at,
                     .at = at,
                     .end = last,
                     .keeps = keeps,
                     .cut = cut && last == end,
                     .mark_end = MARK_NONE};
    while (s.at < s.end && t->size < t->max) {
        if (!(byte_class(*s.at) & (QUOTE | HIGH)) || !take_quoted(&s))
            take_unquoted(&s);
    }
    while (t->size > begin && is_one_of(text_last(t), " .:,;!?"))
        t->size--;
}

void text_put_name(struct text *t, struct slice name)
{
    const char *at = name.data;
    unsigned seen = 0;
    for (size_t i = 0; i < name.size; i++)
        seen |= byte_class(at[i]);
    if (seen & (DIGIT | HIGH))
        text_put_normal(t, name, 0, false);
    else
        text_put(t, name.data, name.size);
}

bool text_is_noise(struct slice s)
{
    const char *at = s.data;
    size_t odd = 0, step;
    for (size_t i = 0; i < s.size; i += step) {
        unsigned class = byte_class(at[i]);
        step = class & HIGH ? utf8_step(at + i, s.size - i) : 1;
        odd += step == 0 || !(class & (WORD | BRACKET | HIGH) || is_one_of(at[i], " \t\n.,:;_-/'\"="));
        step += step == 0;
    }
    return odd * 8 > s.size;
}
