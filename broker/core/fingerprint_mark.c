/* fingerprint_mark: see fingerprint_mark.h. */
#include "broker/core/fingerprint_mark.h"

#include "broker/core/fingerprint_token.h"

void text_put(struct text *t, const void *bytes, size_t size)
{
    size_t room = t->max - t->size;
    size_t fits = size <= room ? size : room;
    if (fits)
        memcpy(t->bytes + t->size, bytes, fits);
    t->size += fits;
}

void text_put_words(struct text *t, const char *words)
{
    text_put(t, words, strlen(words));
}

void scan_put_mark(struct scan *s, enum mark mark)
{
    static const char *const names[] = {"#", "<id>", "<str>", "<path>", "<addr>", "<time>"};
    struct text *t = s->t;
    bool hashed = t->style == TEXT_HASHED;
    if (s->mark_end != MARK_NONE && (hashed || (mark == s->mark && t->size - s->mark_end < 4))) {
        t->size = s->mark_end;
    } else {
        while (t->size && (text_last(t) == '#' || (hashed && byte_class(text_last(t)) & BRACKET)))
            t->size--; /* how deep a value lies does not count; `#17` */
        if (hashed)
            text_put(t, "#", 1);
        else
            text_put_words(t, names[mark]);
    }
    s->word.size = 0;
    s->mark = mark;
    s->mark_end = t->size;
    s->value_end = s->at;
}

void scan_put_separator(struct scan *s, char c)
{
    struct text *t = s->t;
    bool closing = t->style == TEXT_HASHED && s->mark_end == t->size && byte_class(c) & BRACKET;
    if (t->size < t->max && !closing && !(c == text_last(t) && (c == ' ' || c == '?')))
        t->bytes[t->size++] = c;
}

void scan_put_word(struct scan *s, const char *begin, const char *end)
{
    s->word = (struct slice){begin, (size_t)(end - begin)};
    s->word_end = end;
    s->mark_end = MARK_NONE;
    text_put(s->t, begin, s->word.size);
}
