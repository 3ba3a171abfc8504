/* json: writes JSON to a stream as it goes, with no tree in memory. */
#ifndef SHUNT_CLI_JSON_H
#define SHUNT_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 32

/* Errors of the stream are the stream's: look at ferror() at the end. */
struct json {
    FILE *out;
    bool pretty;      /* one member a line, indented by two; otherwise all on one line */
    bool after_key;   /* the next value belongs to a key just written */
    unsigned depth;   /* of open objects and arrays */
    uint64_t started; /* bit d: the container at depth d has a member already */
};

void json_init(struct json *j, FILE *out, bool pretty);

/* Call in the order of the document; json_key() before each member of an object. */
void json_object(struct json *j);
void json_object_end(struct json *j);
void json_array(struct json *j);
void json_array_end(struct json *j);
void json_key(struct json *j, const char *key);
void json_key_bytes(struct json *j, const char *key, size_t bytes);

/* `text` need not be terminated. A byte that is no part of valid UTF-8 becomes U+FFFD. */
void json_text(struct json *j, const char *text, size_t bytes);
void json_string(struct json *j, const char *text); /* terminated; NULL writes null */
void json_base64(struct json *j, const void *data, size_t bytes);
void json_integer(struct json *j, int64_t value);
void json_unsigned(struct json *j, uint64_t value);
void json_bool(struct json *j, bool value);
void json_null(struct json *j);

/* Bytes as the object {"base64": …}, for where text was hoped for. */
void json_base64_object(struct json *j, const void *data, size_t bytes);

/* The member `key` as text if `data` is UTF-8, else the member `key_base64`. `data` NULL writes `key` null.
 */
void json_bytes_member(struct json *j, const char *key, const void *data, size_t bytes);

/* End a document: a newline, and ready for the next. */
void json_end(struct json *j);

#endif
