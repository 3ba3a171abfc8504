/* text: see text.h. Written here and not with printf, whose decimal point is the locale's. */
#include "broker/http/text.h"

#include "base/array.h"
#include "base/utf8.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NANO 1000000000ull

static bool make_room(struct text *t, size_t size)
{
    if (!t->failed && (size > SIZE_MAX - t->size || !array_room(&t->data, &t->capacity, t->size + size)))
        t->failed = true;
    return !t->failed;
}

void text_done(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}

void text_add_bytes(struct text *t, const char *bytes, size_t size)
{
    if (size == 0 || !make_room(t, size))
        return;
    memcpy(t->data + t->size, bytes, size);
    t->size += size;
}

void text_add(struct text *t, const char *string)
{
    text_add_bytes(t, string, strlen(string));
}

void text_add_u64(struct text *t, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    text_add_bytes(t, digits + at, sizeof digits - at);
}

/* `.5` for a numerator of 500 with a denominator of 1000; nothing for 0. */
static void add_fraction(struct text *t, uint64_t numerator, uint64_t denominator)
{
    if (numerator == 0)
        return;
    text_add(t, ".");
    while (numerator) {
        denominator /= 10;
        text_add_bytes(t, &"0123456789"[numerator / denominator], 1);
        numerator %= denominator;
    }
}

void text_add_decimal(struct text *t, double value)
{
    if (isnan(value)) {
        text_add(t, "NaN");
        return;
    }
    if (value < 0) {
        text_add(t, "-");
        value = -value;
    } else if (value >= 0x1p64) {
        text_add(t, "+");
    }
    if (value >= 0x1p64) {
        text_add(t, "Inf");
        return;
    }
    uint64_t whole = (uint64_t)value;
    uint64_t nano = (uint64_t)llround((value - (double)whole) * (double)NANO);
    if (nano >= NANO) {
        whole++;
        nano -= NANO;
    }
    text_add_u64(t, whole);
    add_fraction(t, nano, NANO);
}

void text_add_ms_as_seconds(struct text *t, int64_t ms)
{
    uint64_t size = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    if (ms < 0)
        text_add(t, "-");
    text_add_u64(t, size / 1000);
    add_fraction(t, size % 1000, 1000);
}

void text_add_label(struct text *t, const char *name, const char *value)
{
    size_t size = strlen(value);
    bool clean = utf8_valid(value, size);
    text_add(t, name);
    text_add(t, "=\"");
    for (size_t i = 0; i < size; i++) {
        if (value[i] == '\\')
            text_add(t, "\\\\");
        else if (value[i] == '"')
            text_add(t, "\\\"");
        else if (value[i] == '\n')
            text_add(t, "\\n");
        else if (!clean && (unsigned char)value[i] >= 0x80)
            text_add(t, "?");
        else
            text_add_bytes(t, value + i, 1);
    }
    text_add(t, "\"");
}

static bool stands_for_itself(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

static void add_escaped(struct text *t, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef", letters[] = "\"\\\b\f\n\r\t", escaped[] = "\"\\bfnrt";
    const char *at = byte ? strchr(letters, byte) : NULL;
    char unit[] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};
    char letter[] = {'\\', at ? escaped[at - letters] : 0};
    text_add_bytes(t, at ? letter : unit, at ? sizeof letter : sizeof unit);
}

void text_add_json_part(struct text *t, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t run = i;
        while (run < size && stands_for_itself((unsigned char)bytes[run]))
            run++;
        text_add_bytes(t, bytes + i, run - i);
        i = run;
        if (i == size)
            break;
        size_t step = utf8_step(bytes + i, size - i);
        if (step == 0)
            text_add(t, "\\ufffd");
        else if (step == 1)
            add_escaped(t, (unsigned char)bytes[i]);
        else
            text_add_bytes(t, bytes + i, step);
        i += step ? step : 1;
    }
}

void text_add_json(struct text *t, const char *string)
{
    text_add(t, "\"");
    text_add_json_part(t, string, strlen(string));
    text_add(t, "\"");
}
