/* json_value: one value of a request, from JSON to msgpack, by the kind of its field. */
#ifndef SHUNT_HTTP_JSON_VALUE_H
#define SHUNT_HTTP_JSON_VALUE_H

#include "broker/http/form.h"
#include "broker/http/problem.h"
#include "proto/mpack.h"
#include <jansson.h>

/* Where a value stands, for what is said of it: `filter.header`, `ids[3]`. */
struct json_place {
    const struct json_place *in; /* NULL: it is a field */
    const char *name;            /* NULL: it is an element … */
    size_t index;                /* … with this number */
};

/* Say what is wrong with the value at a place: "is missing". Returns false. */
bool json_place_problem(const struct json_place *place, const char *what, struct problem *ret);

/* Append the value. fails: false, it is of another type; `*ret` says where. Whether there is memory is seen on `to`. */
bool json_value_write(struct mpack_buffer *to, const char *kind, const json_t *value,
                      const struct json_place *place, struct problem *ret);

/* A time as people write it, or milliseconds since 1970. */
bool json_value_time(struct slice text, int64_t *ret_ms);

/* The field that a member called `key` gives, as it is or as base64; NULL: there is none. */
const struct form_field *json_member_field(const struct form_field *fields, struct slice key,
                                           bool *ret_base64);
/* The member that gives a field; NULL: there is none. */
const json_t *json_member(const json_t *object, const struct form_field *field);

/* True if `object` has no member but those of `fields`; bytes may be given as `NAME_base64`. */
bool json_value_known(const struct form_field *fields, const json_t *object, const struct json_place *place,
                      struct problem *ret);

/* What a value of this kind must be, for people; NULL: the kind is not known, and its values are passed on as they are. */
const char *json_value_expected(const char *kind);
/* True if it is a whole number. */
bool json_value_is_number(const char *kind);

#endif
