/* error: the caller's error object. */
#ifndef SHUNT_CLIENT_WIRE_ERROR_H
#define SHUNT_CLIENT_WIRE_ERROR_H

#include "client/shunt.h"

/* Fill `err` (may be NULL) with `code` and a sentence, cut to fit; without a format, the table's. Returns
 * `code`. */
int error_set(struct shunt_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
