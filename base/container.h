/* container: from a part of an object to the object. */
#ifndef SHUNT_BASE_CONTAINER_H
#define SHUNT_BASE_CONTAINER_H

#include <stddef.h>

/* The object of this type that `part` is the `field` of. */
#define container_of(part, type, field) ((type *)(void *)((char *)(part)-offsetof(type, field)))

#endif
