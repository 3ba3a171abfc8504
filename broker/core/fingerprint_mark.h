/* fingerprint_mark: a text in the making, in which marks stand for values. */
#ifndef SHUNT_CORE_FINGERPRINT_MARK_H
#define SHUNT_CORE_FINGERPRINT_MARK_H

#include "base/slice.h"

/* HASHED: every mark is `#`, and marks with no word between them are one, so that a list of two values equals a
 * list of three. SHOWN: for people, a mark says what it stands for. */
enum text_style { TEXT_HASHED, TEXT_SHOWN };

/* What does not fit is left out. */
struct text {
    char *bytes;
    size_t size, max;
    enum text_style style;
};

/* What a value was. */
enum mark { MARK_NUMBER, MARK_ID, MARK_STRING, MARK_PATH, MARK_ADDRESS, MARK_DATE };

/* A text that is read, and where that has come to. */
struct scan {
    struct text *t;
    const char *begin, *at, *end;
    unsigned keeps;
    bool cut;              /* the text went on behind `end` */
    enum mark mark;        /* the last one */
    size_t mark_end;       /* where it ends in the text; MARK_NONE: a word came behind it */
    const char *value_end; /* where what it stands for ends */
    struct slice word;     /* the last one that was written */
    const char *word_end;
    unsigned unpaired; /* quotes that have no other end: bits by their byte & 31 */
};
#define MARK_NONE SIZE_MAX

/* As it is. */
void text_put(struct text *t, const void *bytes, size_t size);
void text_put_words(struct text *t, const char *words);

/* A value ends where the scan is. */
void scan_put_mark(struct scan *s, enum mark mark);
void scan_put_separator(struct scan *s, char c);
void scan_put_word(struct scan *s, const char *begin, const char *end);

static inline char text_last(const struct text *t)
{
    return t->size ? t->bytes[t->size - 1] : ' ';
}

/* A mark was written last, and the scan is right behind its value, or behind a blank after that. */
static inline bool scan_is_behind_mark(const struct scan *s)
{
    return s->mark_end != MARK_NONE &&
           (s->at == s->value_end || (s->at == s->value_end + 1 && s->at[-1] == ' '));
}

#endif
