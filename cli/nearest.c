/* nearest: the distance of Damerau and Levenshtein (neighbours only), over words short enough for rows on the
 * stack. */
#include "cli/nearest.h"

#include <string.h>

#define WORD_BYTES_MAX 40

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned nearest_distance(const char *a, const char *b)
{
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    if (a_len > WORD_BYTES_MAX || b_len > WORD_BYTES_MAX)
        return WORD_BYTES_MAX;
    unsigned rows[3][WORD_BYTES_MAX + 1];
    for (unsigned j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3];
        const unsigned *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned change = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(least(above[j], row[j - 1]) + 1, change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

void nearest_offer(struct nearest *n, const char *candidate)
{
    unsigned distance = nearest_distance(n->word, candidate);
    size_t len = strlen(n->word);
    /* A word that the typed one begins is near at any length: `max` for `max-attempts`. */
    if (len >= 3 && strncmp(n->word, candidate, len) == 0)
        distance = 1;
    unsigned allowed = len <= 3 ? 1 : len <= 6 ? 2 : 3;
    if (distance > allowed || (n->best && distance >= n->distance))
        return;
    n->best = candidate;
    n->distance = distance;
}
