/* base64: see base64.h. */
#include "base/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(char *to, const void *bytes, size_t size)
{
    const unsigned char *from = bytes;
    for (size_t i = 0; i < size; i += 3, to += 4) {
        size_t left = size - i;
        unsigned group = (unsigned)from[i] << 16;
        group |= left > 1 ? (unsigned)from[i + 1] << 8 : 0;
        group |= left > 2 ? (unsigned)from[i + 2] : 0;
        to[0] = digits[group >> 18];
        to[1] = digits[group >> 12 & 63];
        to[2] = digits[group >> 6 & 63];
        to[3] = digits[group & 63];
        if (left < 3)
            to[3] = '=';
        if (left < 2)
            to[2] = '=';
    }
}

static int value_of(char digit)
{
    const char *at = digit ? strchr(digits, digit) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* `count` digits, two to four, are worth one byte less. */
static bool decode_group(unsigned char *to, const char *text, size_t count)
{
    unsigned group = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < count ? value_of(text[i]) : 0;
        if (value < 0)
            return false;
        group = group << 6 | (unsigned)value;
    }
    unsigned rest = count == 4 ? 0 : count == 3 ? group & 0xff : group & 0xffff;
    for (size_t i = 0; i + 1 < count; i++)
        to[i] = (unsigned char)(group >> (16 - 8 * i));
    return rest == 0;
}

bool base64_decode(void *to, const char *text, size_t size, size_t *ret_size)
{
    unsigned char *at = to;
    if (size % 4)
        return false;
    for (size_t i = 0; i < size; i += 4) {
        size_t count = 4;
        if (i + 4 == size)
            count -= (text[i + 3] == '=') + (text[i + 3] == '=' && text[i + 2] == '=');
        if (!decode_group(at, text + i, count))
            return false;
        at += count - 1;
    }
    *ret_size = (size_t)(at - (unsigned char *)to);
    return true;
}
