/* shunt_error.h: errors, and what every header of the library needs. Included by shunt.h. */
#ifndef SHUNT_ERROR_H
#define SHUNT_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(SHUNT_BUILDING) && defined(__GNUC__)
#define SHUNT_API __attribute__((visibility("default")))
#else
#define SHUNT_API
#endif

#define SHUNT_FOREVER (-1)

/* The numbers are those of the protocol and never change their meaning. (Inside shunt, proto/errors.h, against which this
 * list is checked, may have declared it already.) */
#ifndef SHUNT_PROTO_ERRORS_H
enum shunt_err {
    SHUNT_OK = 0,
    SHUNT_PROTOCOL = 1,
    SHUNT_VERSION_MISMATCH = 2,
    SHUNT_UNAUTHENTICATED = 3,
    SHUNT_FORBIDDEN = 4,
    SHUNT_BAD_ARGUMENT = 5,
    SHUNT_BAD_NAME = 6,
    SHUNT_RESERVED = 7,
    SHUNT_TOO_LARGE = 8,
    SHUNT_UNSUPPORTED = 9,
    SHUNT_UNKNOWN_TOPIC = 20,
    SHUNT_UNKNOWN_GROUP = 21,
    SHUNT_TOPIC_EXISTS = 22,
    SHUNT_GROUP_EXISTS = 23,
    SHUNT_NOT_FOUND = 24,
    SHUNT_STALE = 25,
    SHUNT_LAST_GROUP = 26,
    SHUNT_TOPIC_FULL = 27,
    SHUNT_NO_SPACE = 28,
    SHUNT_TOO_MANY = 29,
    SHUNT_DEDUP_WINDOW = 30,
    SHUNT_NOT_LEADER = 40,
    SHUNT_UNAVAILABLE = 41,
    SHUNT_SHUTTING_DOWN = 42,
    SHUNT_DEADLINE_EXCEEDED = 43,
    SHUNT_UNREACHABLE = 60,
    SHUNT_DISCONNECTED = 61,
    SHUNT_TIMEOUT = 62,
    SHUNT_CLOSED = 63,
    SHUNT_EMPTY = 64,
    SHUNT_BUSY = 65,
    SHUNT_NO_MEMORY = 80,
    SHUNT_IO = 81,
    SHUNT_CORRUPT = 82,
    SHUNT_STORE_LOCKED = 83,
    SHUNT_STORE_VERSION = 84,
    SHUNT_STORE_TRUNCATED = 85,
    SHUNT_STORE_READ_ONLY = 86,
    SHUNT_INTERNAL = 99
};
#endif

/* Filled in by a call that failed; the caller owns it. `text` is one sentence for people, always terminated. */
struct shunt_error {
    int code;       /* enum shunt_err */
    bool may_retry; /* the same call may succeed later */
    char text[500];
};

/* The code's name, "UNKNOWN_TOPIC", and what it means. Static storage; never NULL. */
SHUNT_API const char *shunt_error_name(int code);
SHUNT_API const char *shunt_error_text(int code);

/* The version of these headers, 0xMMmmpp: 0.2.0 is 0x000200. */
#define SHUNT_VERSION_NUM 0x000200
SHUNT_API const char *shunt_version(void); /* of the library that is loaded, "0.2.0" */
SHUNT_API int shunt_version_num(void);     /* the same as a number */

#ifdef __cplusplus
}
#endif

#endif
