/* list: elements in a row that are told apart by their pointers, which end in NULL, and counted.
 *
 * An element has `next` and `prev` of its own type; the list's holder has `head`, `tail` and `count`, all zero at first.
 * Nothing is allocated and nothing fails. The arguments are names, as each is read several times. For lists that an element
 * leaves without knowing which it is in, see ring.h.
 */
#ifndef SHUNT_BASE_LIST_H
#define SHUNT_BASE_LIST_H

#include "base/check.h"

#include <stddef.h>

#define list_append(list, element)                                                                           \
    do {                                                                                                     \
        (element)->next = NULL;                                                                              \
        (element)->prev = (list)->tail;                                                                      \
        *((list)->tail ? &(list)->tail->next : &(list)->head) = (element);                                   \
        (list)->tail = (element);                                                                            \
        (list)->count++;                                                                                     \
    } while (0)

#define list_insert_before(list, element, before)                                                            \
    do {                                                                                                     \
        check((list)->count > 0);                                                                            \
        (element)->next = (before);                                                                          \
        (element)->prev = (before)->prev;                                                                    \
        *((before)->prev ? &(before)->prev->next : &(list)->head) = (element);                               \
        (before)->prev = (element);                                                                          \
        (list)->count++;                                                                                     \
    } while (0)

/* It is in this list. */
#define list_remove(list, element)                                                                           \
    do {                                                                                                     \
        check((list)->count > 0);                                                                            \
        *((element)->prev ? &(element)->prev->next : &(list)->head) = (element)->next;                       \
        *((element)->next ? &(element)->next->prev : &(list)->tail) = (element)->prev;                       \
        (list)->count--;                                                                                     \
    } while (0)

#endif
