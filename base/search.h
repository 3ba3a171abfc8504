/* search: where something is, or belongs, in elements that are in order. */
#ifndef SHUNT_BASE_SEARCH_H
#define SHUNT_BASE_SEARCH_H

#include <stddef.h>

/* Less than, equal to or greater than 0, as the element stands to the key. */
typedef int search_order_fn(const void *element, const void *key);

/* The position of the first of `count` elements, of `each` bytes, that does not stand before `key`; `count`
 * if all do. In the header, so that the compiler can put `order` in its place. */
static inline size_t search_first(const void *elements, size_t count, size_t each, const void *key,
                                  search_order_fn *order)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order((const char *)elements + middle * each, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

#endif
