/* fingerprint_pattern: a text with marks where its values stand, which other texts of its size fit that differ in values alone.
 * Which values those are, and that a fingerprint does not depend on them, is the business of fingerprint_alike.h. */
#ifndef SHUNT_CORE_FINGERPRINT_PATTERN_H
#define SHUNT_CORE_FINGERPRINT_PATTERN_H

#include "base/slice.h"

/* Bytes of a pattern: any digit, any hexadecimal digit. A text that holds such bytes itself has no marks in its pattern. */
#define PATTERN_DIGIT '\x01'
#define PATTERN_HEX   '\x02'

/* An id of hexadecimal digits. `first`: of what class its first byte may be; `needs`: of these classes there is a byte before
 * `looked_end`. */
struct pattern_id {
    uint16_t begin, looked_end;
    uint8_t first, needs;
};
#define PATTERN_IDS_MAX 8 /* further ones stay as they are */

struct pattern {
    struct slice text;
    uint16_t begin, end; /* no mark is outside; equal: there is none */
    uint8_t ids_count;
    struct pattern_id ids[PATTERN_IDS_MAX];
};

/* Bytes of it are, or look like, marks. */
bool pattern_has_marks(struct slice text);

/* Note where its marks are. */
void pattern_find_marks(struct pattern *p);

/* `text` is as long as that of the pattern. */
bool pattern_fits(const struct pattern *p, struct slice text);

/* `Dec`, `Feb`: behind the rest of a date they are that of one, and no beginning of an id. Three bytes can be read. */
bool pattern_is_like_month(const char *at);

#endif
