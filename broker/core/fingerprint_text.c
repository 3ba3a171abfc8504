/* fingerprint_text: see fingerprint_text.h.
 *
 * One pass. A token (what stands between blanks, brackets, quotes and commas) is first looked at as a whole: is
 * it a URL, an address, a path? If not, it is taken word by word.
 */
#include "broker/core/fingerprint_text.h"

#include "broker/core/fingerprint_line.h"

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

/* Bytes of the quote that opens where the scan is, and how it closes; 0: none opens. */
static size_t quote_size(const struct scan *s, const char **ret_close)
{
    static const struct {
        char open[4], close[4];
    } quotes[] = {{"\u201c", "\u201d"}, {"\u2018", "\u2019"}, {"\u00ab", "\u00bb"}};
    *ret_close = *s->at == '"' ? "\"" : "'";
    if (byte_class(*s->at) & QUOTE)
        return 1;
    for (size_t i = 0; i < sizeof quotes / sizeof *quotes; i++) {
        size_t size = strlen(quotes[i].open);
        *ret_close = quotes[i].close;
        if ((size_t)(s->end - s->at) > size && memcmp(s->at, quotes[i].open, size) == 0)
            return size;
    }
    return 0;
}

/* Where it closes, not within a word; NULL: nowhere. What a backquote opens may be closed by one. */
static const char *quote_end(const struct scan *s, const char *close, size_t size)
{
    char other = *s->at == '`' ? '`' : close[0];
    if (size > 1)
        return find_bytes(between(s->at + size, s->end), close, size);
    for (const char *at = s->at + 1; at < s->end; at++) {
        if (*at == '\\')
            at++;
        else if ((*at == close[0] || *at == other) && (at + 1 == s->end || !(byte_class(at[1]) & WORD)))
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

/* The end of a token that is only letters: most are. NULL: it is something else. */
static const char *plain_end(const char *begin, const char *end)
{
    const char *at = begin;
    unsigned all = HEX;
    for (; at < end && byte_class(*at) & LETTER; at++)
        all &= byte_class(*at);
    const char *next = at + (at < end && (*at == '.' || *at == ':'));
    bool ends = next >= end || !(byte_class(*next) & (WORD | TOKEN | HIGH));
    bool plain = !all && !(*begin == 't' && at - begin > 2 && begin[1] == 'm');
    return ends && plain && at > begin ? at : NULL;
}

/* Words of small letters, a blank between each two: most of a message. */
static void take_phrase(struct scan *s, const char *end)
{
    const char *word = s->at, *begin = s->at;
    while (s->end - end > 1 && *end == ' ' && byte_class(end[1]) & LOWER) {
        const char *next = plain_end(end + 1, s->end);
        if (!next)
            break;
        word = end + 1;
        end = next;
    }
    scan_put_word(s, begin, end);
    s->word = between(word, end);
    s->at = end;
}

static void take_unquoted(struct scan *s)
{
    unsigned class = byte_class(*s->at);
    const char *end = class & LETTER ? plain_end(s->at, s->end) : NULL;
    if (end && class & LOWER && !scan_is_behind_mark(s)) {
        take_phrase(s, end);
    } else if (end) {
        word_take_letters(s, end);
    } else if (class & (WORD | TOKEN | HIGH)) {
        take_token(s);
    } else {
        scan_put_separator(s, *s->at == '\t' || *s->at == '\n' ? ' ' : *s->at);
        s->at++;
    }
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
    const char *close = NULL;
    size_t size = quote_size(s, &close);
    unsigned kind = 1u << ((uint8_t)*s->at & 31);
    if (!size || s->unpaired & kind || is_within_word(s))
        return false;
    const char *begin = s->at + size;
    const char *end = quote_end(s, close, size);
    if (!end && !s->cut) {
        s->unpaired |= kind;
        return false;
    }
    struct slice content = {begin, (size_t)((end ? end : s->end) - begin)};
    bool kept = (s->keeps & TEXT_KEEPS_NAMES && is_name(content)) || (end && is_asserted(s));
    s->at = begin;
    if (kept)
        take_name(s, begin + content.size);
    s->at = end ? end + size : s->end;
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
    const char *end = end_of(from);
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
        unsigned class = byte_class(*s.at);
        if (!(class & (QUOTE | HIGH)) || !take_quoted(&s))
            take_unquoted(&s);
    }
    while (t->size > begin && !(byte_class(text_last(t)) & ~TOKEN) && is_one_of(text_last(t), " .:,;!?"))
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
    size_t odd = 0;
    if (s.size == 0 || !memchr(at, '?', s.size)) /* what a byte that is no text has become */
        return false;
    for (size_t i = 0; i < s.size; i++)
        odd += !byte_class(at[i]) && !is_one_of(at[i], " \t\n,;=");
    return odd * 8 > s.size;
}
