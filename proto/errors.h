/* errors: the one list of error codes, made from errors.def. */
#ifndef SHUNT_PROTO_ERRORS_H
#define SHUNT_PROTO_ERRORS_H

#include <stdbool.h>

/* The public header declares the same enum; code that includes shunt.h first keeps that one. */
#ifndef SHUNT_H
enum shunt_err {
    SHUNT_OK = 0,
#define SHUNT_ERROR(name, number, retry, text) SHUNT_##name = number,
#include "proto/errors.def"
#undef SHUNT_ERROR
};
#endif

/* The code's name as users see it, "UNKNOWN_TOPIC"; "UNKNOWN" for a number not in the table. Static storage. */
const char *err_name(int code);

/* A sentence without a final stop. Static storage. */
const char *err_text(int code);

/* True if the same call may succeed later without a change. */
bool err_may_retry(int code);

/* True if the server says with it how long it wants to be left alone (`retry_after_ms`). */
bool err_has_retry_after(int code);

/* True if `code` is 0 or stands in the table. */
bool err_known(int code);

#endif
