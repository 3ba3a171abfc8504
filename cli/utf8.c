/* utf8: RFC 3629: no surrogates, nothing overlong, nothing past U+10FFFF. */
#include "cli/utf8.h"

#include <string.h>

static bool is_tail(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* The second byte of a sequence has narrower bounds after E0, ED, F0 and F4: that is what keeps out overlong
 * forms, surrogates and the numbers past the end. */
static bool second_fits(unsigned char first, unsigned char second)
{
    unsigned char least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    return second >= least && second <= most;
}

size_t utf8_step(const char *text, size_t left)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t length = p[0] < 0x80   ? 1
                    : p[0] < 0xC2 ? 0
                    : p[0] < 0xE0 ? 2
                    : p[0] < 0xF0 ? 3
                    : p[0] < 0xF5 ? 4
                                  : 0;
    if (length <= 1)
        return length;
    if (left < length || !second_fits(p[0], p[1]))
        return 0;
    for (size_t i = 2; i < length; i++) {
        if (!is_tail(p[i]))
            return 0;
    }
    return length;
}

bool utf8_valid(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        size_t step = utf8_step(text + i, bytes - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

void utf8_repair(char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        size_t step = utf8_step(text + i, bytes - i);
        if (step == 0 || text[i] == '\0') {
            text[i] = '?';
            step = 1;
        }
        i += step;
    }
}

size_t utf8_end(const char *text, size_t bytes, size_t most)
{
    size_t end = most;
    if (bytes <= most)
        return bytes;
    while (end > 0 && most - end < 3 && is_tail((unsigned char)text[end]))
        end--;
    return is_tail((unsigned char)text[end]) ? most : end; /* no UTF-8: cut anywhere */
}

size_t utf8_begin(const char *text, size_t bytes)
{
    size_t begin = 0;
    while (begin < 3 && begin < bytes && is_tail((unsigned char)text[begin]))
        begin++;
    return begin < bytes && is_tail((unsigned char)text[begin]) ? 0 : begin; /* no UTF-8: cut anywhere */
}

/* How many of the bytes that `first` asks for; 0 if it begins nothing of several bytes. */
static size_t length_wanted(unsigned char first)
{
    return first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
}

void utf8_mend(char *text)
{
    char *to = text;
    for (const char *at = text; *at;) {
        size_t wanted = length_wanted((unsigned char)*at);
        size_t there = 1;
        while (there < wanted && is_tail((unsigned char)at[there]))
            there++;
        if (wanted == 0 || there == wanted) {
            memmove(to, at, there);
            to += there;
        }
        at += there;
    }
    *to = '\0';
}

void utf8_tame(char *text, size_t bytes, bool lines)
{
    utf8_repair(text, bytes);
    for (size_t i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (lines && (byte == '\n' || byte == '\t'))
            continue;
        if (byte < 0x20 || byte == 0x7F)
            text[i] = lines || byte == 0x1B ? '?' : ' ';
        /* C1 controls, U+0080 to U+009F, are two bytes: C2 and the code. Some terminals obey them. */
        if (byte == 0xC2 && i + 1 < bytes && (unsigned char)text[i + 1] < 0xA0) {
            text[i] = '?';
            text[i + 1] = '?';
        }
    }
}

size_t utf8_columns(const char *text, size_t bytes)
{
    size_t columns = 0;
    for (size_t i = 0; i < bytes; i++)
        columns += is_tail((unsigned char)text[i]) ? 0 : 1;
    return columns;
}

size_t utf8_prefix(const char *text, size_t bytes, size_t columns)
{
    size_t seen = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (!is_tail((unsigned char)text[i]) && seen++ == columns)
            return i;
    }
    return bytes;
}
