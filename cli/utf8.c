/* utf8: RFC 3629: no surrogates, nothing overlong, nothing past U+10FFFF. */
#include "cli/utf8.h"

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
