/* target: what a request names: the segments of its path and the pairs of its query, decoded (RFC 3986). */
#ifndef SHUNT_HTTP_TARGET_H
#define SHUNT_HTTP_TARGET_H

#include "base/slice.h"

#define TARGET_SEGMENTS_MAX 16
#define TARGET_PAIRS_MAX    32

struct target_pair {
    struct slice name, value;
};

/* Its slices lie in `bytes`, which are its own. */
struct target {
    char *bytes;
    unsigned segments_count, pairs_count;
    struct slice segments[TARGET_SEGMENTS_MAX];
    struct target_pair pairs[TARGET_PAIRS_MAX];
};

/* Read `raw`, which begins with a slash, as it came. Each part is UTF-8 without NUL then, and no segment is empty.
 * fails: false, with a sentence in `*ret_why`; target_done() all the same. */
bool target_read(const char *raw, struct target *ret, const char **ret_why);
void target_done(struct target *t); /* takes a zeroed one */

#endif
