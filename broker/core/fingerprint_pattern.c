/* fingerprint_pattern: see fingerprint_pattern.h. */
#include "broker/core/fingerprint_pattern.h"

#include "broker/core/fingerprint_line.h"

#define BLOCK_BYTES 16
#define PLAIN_BYTES_MIN                                                                                      \
    64 /* fewer without marks, before the first or behind the last, are not compared by themselves */

static bool is_mark(char c)
{
    return c == PATTERN_DIGIT || c == PATTERN_HEX;
}

bool pattern_has_marks(struct slice text)
{
    return find(text, PATTERN_DIGIT) || find(text, PATTERN_HEX);
}

void pattern_find_marks(struct pattern *p)
{
    size_t size = p->text.size, begin = 0, end = size;
    while (begin < size && !is_mark(begin_of(p->text)[begin]))
        begin++;
    while (end > begin && !is_mark(begin_of(p->text)[end - 1]))
        end--;
    p->begin = p->end = 0;
    if (begin == end)
        return;
    p->begin = (uint16_t)(begin < PLAIN_BYTES_MIN ? 0 : begin);
    p->end = (uint16_t)(size - end < PLAIN_BYTES_MIN ? size : end);
}

bool pattern_is_like_month(const char *at)
{
    return byte_class(*at) & UPPER && word_is_of_date(between(at, at + 3));
}

typedef uint8_t block __attribute__((vector_size(BLOCK_BYTES)));

/* Of each byte: -1 if it fits, or 0. */
static inline block fitting(const char *text, const char *pattern)
{
    block c, mark;
    memcpy(&c, text, BLOCK_BYTES);
    memcpy(&mark, pattern, BLOCK_BYTES);
    block digit = (block)(c - (uint8_t)'0' < (uint8_t)10);
    block letter = (block)((c | (uint8_t)0x20) - (uint8_t)'a' < (uint8_t)6);
    block is_digit = (block)(mark == (uint8_t)PATTERN_DIGIT), is_hex = (block)(mark == (uint8_t)PATTERN_HEX);
    block same = (block)(c == mark) & ~(is_digit | is_hex);
    return same | (digit & (is_digit | is_hex)) | (letter & is_hex);
}

static bool fits_marks(const char *text, const char *pattern, size_t size)
{
    static const uint64_t all[2] = {UINT64_MAX, UINT64_MAX};
    char short_text[BLOCK_BYTES] = {0}, short_pattern[BLOCK_BYTES] = {0};
    if (size < BLOCK_BYTES) {
        memcpy(short_text, text, size);
        memcpy(short_pattern, pattern, size);
        text = short_text;
        pattern = short_pattern;
        size = BLOCK_BYTES;
    }
    block fit = fitting(text + size - BLOCK_BYTES, pattern + size - BLOCK_BYTES);
    for (size_t i = 0; i + BLOCK_BYTES <= size; i += BLOCK_BYTES)
        fit &= fitting(text + i, pattern + i);
    return memcmp(&fit, all, sizeof all) == 0;
}

static unsigned kind_of(char c)
{
    return byte_class(c) & LETTER ? LETTER : byte_class(c);
}

static bool fits_id(const struct pattern_id *id, const char *text)
{
    const char *at = text + id->begin, *end = text + id->looked_end;
    unsigned seen = kind_of(*at);
    if (!(seen & id->first) || pattern_is_like_month(at))
        return false;
    while ((seen & id->needs) != id->needs && ++at < end)
        seen |= kind_of(*at);
    return (seen & id->needs) == id->needs;
}

bool pattern_fits(const struct pattern *p, struct slice text)
{
    const char *at = text.data, *pattern = p->text.data;
    if (p->begin == p->end)
        return slice_equal(p->text, text);
    for (size_t i = 0; i < p->ids_count; i++) {
        if (!fits_id(&p->ids[i], at))
            return false;
    }
    return fits_marks(at + p->begin, pattern + p->begin, (size_t)(p->end - p->begin)) &&
           (p->begin == 0 || memcmp(at, pattern, p->begin) == 0) &&
           (p->end == text.size || memcmp(at + p->end, pattern + p->end, text.size - p->end) == 0);
}
