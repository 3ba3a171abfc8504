/* fingerprint_word: see fingerprint_word.h. */
#include "broker/core/fingerprint_word.h"

#include "broker/core/fingerprint_token.h"

static bool is_code(const struct scan *s, size_t digits)
{
    if (digits > CODE_DIGITS_MAX)
        return false;
    if (s->keeps & TEXT_KEEPS_SHORT_NUMBERS)
        return true;
    return s->word.size && s->at > s->word_end && s->at - s->word_end <= CODE_DISTANCE_MAX &&
           word_is_before_code(s->word);
}

static void take_number(struct scan *s, const char *end)
{
    size_t digits = (size_t)(end - s->at);
    if (is_code(s, digits)) {
        text_put(s->t, s->at, digits);
        s->mark_end = MARK_NONE;
        if (s->word.size == 4) /* `HTTP/1.1 404` */
            s->word_end = end;
        s->at = end;
        return;
    }
    const char *percent = end + (end < s->end && *end == ' ');
    s->at = percent < s->end && *percent == '%' ? percent + 1 : end;
    scan_put_mark(s, MARK_NUMBER);
}

/* Is the rest of the date beside this part of one? */
static bool is_beside_number(const struct scan *s, const char *end)
{
    if (scan_is_behind_mark(s))
        return true;
    while (end < s->end && (*end == ' ' || *end == ','))
        end++;
    if (end < s->end && byte_class(*end) & DIGIT)
        return true;
    return s->end - end > 3 && word_is_of_date((struct slice){end, 3});
}

void word_take_letters(struct scan *s, const char *end)
{
    struct slice word = {s->at, (size_t)(end - s->at)};
    bool behind = scan_is_behind_mark(s);
    if (behind && word_is_long_unit(word)) {
        s->t->size = s->mark_end;
        s->value_end = end;
    } else if (word.size > 2 && word_is_of_date(word) && is_beside_number(s, end)) {
        s->at = end;
        scan_put_mark(s, MARK_DATE);
    } else {
        bool plural = behind && s->mark == MARK_NUMBER && word.size > 3 && end[-1] == 's' &&
                      end[-2] != 's'; /* 1 item, 2 items */
        scan_put_word(s, s->at, end - plural);
        s->word_end = end;
    }
    s->at = end;
}

static void take_id(struct scan *s, const char *end)
{
    while (end < s->end && *end == '=')
        end++;
    s->at = end;
    scan_put_mark(s, MARK_ID);
}

/* `worker17` */
static void take_numbered(struct scan *s, const char *digits, const char *end)
{
    scan_put_word(s, s->at, digits);
    s->at = digits;
    take_number(s, end);
}

/* `30s`, `17th`, `3D` */
static void take_measured(struct scan *s, const char *letters, const char *end)
{
    bool unit = word_is_unit((struct slice){letters, (size_t)(end - letters)});
    s->at = unit ? end : letters;
    scan_put_mark(s, MARK_NUMBER);
    if (!unit)
        scan_put_word(s, letters, end);
    s->at = end;
}

/* Letters and digits without anything between them; `switches`: how often they follow each other. */
static void take_mixed(struct scan *s, const char *end, size_t switches, bool hex)
{
    unsigned first = byte_class(*s->at) & DIGIT;
    ptrdiff_t shortest = s->keeps & TEXT_KEEPS_SHORT_NUMBERS ? 8 : 4; /* `E404` is a name */
    const char *middle = s->at;
    while ((byte_class(*middle) & DIGIT) == first)
        middle++;
    if (first && switches == 2 && *middle == 'T' && byte_class(middle[1]) & DIGIT) { /* `28T12` */
        s->at = end;
        scan_put_mark(s, MARK_NUMBER);
    } else if (switches > 1 || (hex && end - s->at >= shortest) || (*s->at == '0' && *middle == 'x')) {
        take_id(s, end);
    } else if (first) {
        take_measured(s, middle, end);
    } else {
        take_numbered(s, middle, end);
    }
}

/* Where a name like `tmpk3j_x0z8` or `tmp.Ab3dE9xYz1` ends; NULL if it is none. */
static const char *temporary_end(const char *at, const char *end, const char *token_end)
{
    if (end - at < 3 || memcmp(at, "tmp", 3) != 0)
        return NULL;
    if (end - at > 8)
        return end;
    const char *p = at + 3;
    while (p < token_end && (byte_class(*p) & WORD || *p == '_' || *p == '.'))
        p++;
    return p - at > 10 ? p : NULL;
}

static void word_take(struct scan *s, const char *token_end)
{
    const char *at = s->at, *p = at;
    size_t switches = 0;
    unsigned all = 0xff, seen = 0, last = byte_class(*p) & DIGIT;
    for (; p < token_end && byte_class(*p) & (WORD | HIGH); p++) {
        unsigned class = byte_class(*p);
        switches += (class & DIGIT) != last;
        last = class & DIGIT;
        all &= class;
        seen |= class;
    }
    const char *temporary = *at == 't' ? temporary_end(at, p, token_end) : NULL;
    if (temporary)
        take_id(s, temporary);
    else if (p - at == 8 && all & HEX && token_is_uuid(at, (size_t)(token_end - at)))
        take_id(s, at + UUID_BYTES);
    else if (all & DIGIT)
        take_number(s, p);
    else if (seen & DIGIT)
        take_mixed(s, p, switches, all & HEX);
    else if (all & HEX && p - at > 7)
        take_id(s, p);
    else
        word_take_letters(s, p);
}

/* The part of a token that may be one id: letters, digits and dashes. */
static const char *segment_end(const char *at, const char *end)
{
    while (at < end && (byte_class(*at) & WORD || *at == '_' || *at == '-' || *at == '+'))
        at++;
    return at;
}

void words_take(struct scan *s, const char *end)
{
    const char *looked = s->at; /* no id begins before it */
    while (s->at < end) {
        if (!(byte_class(*s->at) & (WORD | HIGH))) {
            bool sign = (*s->at == '-' || *s->at == '+') && s->at + 1 < end && byte_class(s->at[1]) & DIGIT &&
                        (s->at == s->begin || !(byte_class(s->at[-1]) & WORD));
            if (!sign)
                scan_put_separator(s, *s->at);
            s->at++;
            continue;
        }
        if (s->at >= looked && end - s->at >= RANDOM_BYTES_MIN) {
            looked = segment_end(s->at, end);
            if (token_is_random((struct slice){s->at, (size_t)(looked - s->at)})) {
                take_id(s, looked);
                continue;
            }
        }
        word_take(s, end);
    }
}
