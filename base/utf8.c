/* utf8: see utf8.h. */
#include "base/utf8.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* How many bytes the sequence has that `lead` begins; 0 if it begins none of several bytes. */
static size_t wanted(uint8_t lead)
{
    return lead < 0xc2 || lead > 0xf4 ? 0 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
}

size_t utf8_step(const void *text, size_t left)
{
    const uint8_t *at = text;
    uint8_t lead = at[0];
    if (lead < 0x80)
        return 1;
    size_t size = wanted(lead);
    if (size == 0 || left < size)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if (!is_tail(at[i]))
            return 0;
    }
    /* The second byte tells what is overlong, a surrogate, or past U+10FFFF. */
    if ((lead == 0xe0 && at[1] < 0xa0) || (lead == 0xed && at[1] > 0x9f) || (lead == 0xf0 && at[1] < 0x90) ||
        (lead == 0xf4 && at[1] > 0x8f))
        return 0;
    return size;
}

bool utf8_valid(const void *text, size_t size)
{
    const uint8_t *at = text;
    while (size > 0) {
        uint64_t eight;
        if (size >= sizeof eight) { /* plain ASCII goes by in strides */
            memcpy(&eight, at, sizeof eight);
            if (!(eight & 0x8080808080808080ull)) {
                at += sizeof eight;
                size -= sizeof eight;
                continue;
            }
        }
        size_t step = utf8_step(at, size);
        if (step == 0)
            return false;
        at += step;
        size -= step;
    }
    return true;
}

/* A sequence has at most three bytes after its first: more than that is not UTF-8 and is cut anywhere. */
size_t utf8_prefix(const void *text, size_t size, size_t max)
{
    const uint8_t *at = text;
    if (size <= max)
        return size;
    for (size_t back = 0; back <= 3 && back <= max; back++) {
        if (!is_tail(at[max - back]))
            return max - back;
    }
    return max;
}

size_t utf8_begin(const void *text, size_t size)
{
    const uint8_t *at = text;
    for (size_t ahead = 0; ahead <= 3; ahead++) {
        if (ahead == size || !is_tail(at[ahead]))
            return ahead;
    }
    return 0;
}

size_t utf8_suffix(const void *text, size_t size, size_t max)
{
    return size <= max ? 0 : size - max + utf8_begin((const uint8_t *)text + (size - max), max);
}

void utf8_mend(char *text)
{
    char *to = text;
    for (const char *at = text; *at != '\0';) {
        size_t whole = wanted((uint8_t)*at);
        size_t there = 1;
        while (there < whole && is_tail((uint8_t)at[there]))
            there++;
        if (there >= whole) {
            memmove(to, at, there);
            to += there;
        }
        at += there;
    }
    *to = '\0';
}

/* C0 but tab and newline, DEL, and C1 (two bytes, which some terminals obey). */
static bool is_control(const uint8_t *at, size_t size)
{
    if (size == 1)
        return (at[0] < 0x20 && at[0] != '\t' && at[0] != '\n') || at[0] == 0x7f;
    return size == 2 && at[0] == 0xc2 && at[1] < 0xa0;
}

/* How many of eight bytes, the first being the lowest, are from ' ' to '~' before one that is not. In each term the high bit of
 * the lowest byte that is not is set, and of none if there is no such byte. (Source of the method: S. E. Anderson, "Bit twiddling
 * hacks", 1997-2005.) */
static size_t count_plain(uint64_t eight)
{
    static const uint64_t ones = 0x0101010101010101ull, high = 0x8080808080808080ull;
    uint64_t delete = eight ^ ones * 0x7f;
    uint64_t odd = (eight | (eight - ones * ' ') | ((delete - ones) & ~delete)) & high;
    return odd ? (size_t)__builtin_ctzll(odd) / 8 : sizeof eight;
}

void utf8_clean(char *to, const void *text, size_t size)
{
    const uint8_t *at = text;
    size_t i = 0;
    while (i < size) {
        uint64_t eight;
        if (size - i >= sizeof eight) { /* nearly all of a stack trace */
            memcpy(&eight, at + i, sizeof eight);
            memcpy(to + i, &eight, sizeof eight); /* what is not plain is written once more */
            size_t plain = count_plain(le64toh(eight));
            i += plain;
            if (plain == sizeof eight)
                continue;
        }
        if ((at[i] >= ' ' && at[i] <= '~') || at[i] == '\n' || at[i] == '\t') {
            to[i] = (char)at[i];
            i++;
            continue;
        }
        size_t step = utf8_step(at + i, size - i);
        if (step == 0) {
            to[i++] = '?';
            continue;
        }
        if (is_control(at + i, step))
            memset(to + i, '?', step);
        else
            memmove(to + i, at + i, step);
        i += step;
    }
}

/* U+202A to U+202E and U+2066 to U+2069: what stands behind one is shown from right to left, or in another place. */
static bool turns_direction(const uint8_t *at, size_t left)
{
    return left >= 3 && at[0] == 0xe2 &&
           ((at[1] == 0x80 && at[2] >= 0xaa && at[2] <= 0xae) ||
            (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
}

void utf8_straighten(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (turns_direction((const uint8_t *)text + i, size - i))
            memset(text + i, '?', 3);
    }
}

void utf8_flatten(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];
        if ((byte != 0 && byte != 0x1b && byte < 0x20) || byte == 0x7f)
            text[i] = ' ';
    }
    utf8_straighten(text, size);
    utf8_clean(text, text, size);
}
