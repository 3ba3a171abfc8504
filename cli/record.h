/* record: a thing the broker tells of (topic, group, dead letter, job) as JSON in a stable order, or as lines
 * for people. */
#ifndef SHUNT_CLI_RECORD_H
#define SHUNT_CLI_RECORD_H

#include <stddef.h>
#include <stdint.h>

struct json;
struct table;
struct shunt_value;

enum record_kind {
    RECORD_TEXT,
    RECORD_BYTES, /* text if UTF-8, else base64 under `key_base64` */
    RECORD_COUNT,
    RECORD_SIZE,
    RECORD_SPAN, /* milliseconds */
    RECORD_TIME,
    RECORD_FLAG,
    RECORD_MAP,    /* names and values as they come */
    RECORD_POLICY, /* settings */
    RECORD_LIST,   /* of texts */
    RECORD_RECORD, /* one with fields of its own, or null; not shown in lines */
    RECORD_RECORDS /* a list of such */
};

struct record_field {
    const char *key; /* in JSON; the last field of a table has NULL */
    enum record_kind kind;
    const char *title;                 /* in lines; NULL: not shown */
    const struct record_field *fields; /* of RECORD_RECORD and RECORD_RECORDS */
};

/* An object with a member for each field, null where the broker says nothing. */
void record_json(struct json *j, const struct record_field *fields, const struct shunt_value *record);
/* The members alone, into an object that is open. */
void record_members(struct json *j, const struct record_field *fields, const struct shunt_value *record);

/* Two cells for each field with a title, into a table of two columns. */
void record_lines(struct table *t, const struct record_field *fields, const struct shunt_value *record);

/* Any value, as it is. */
void record_value(struct json *j, const struct shunt_value *value);

/* An integer member. */
int64_t record_integer(const struct shunt_value *record, const char *key);
/* A text member; NULL if it is nil or not there. */
const char *record_text(const struct shunt_value *record, const char *key);

/* A time as RFC 3339, or NULL if it is nil. `to` holds 32 bytes. */
const char *record_time(char *to, const struct shunt_value *time);
/* How long ago, as `1m30s`, or NULL. */
const char *record_age(char *to, const struct shunt_value *time);
/* How long until then; `0ms` if that has passed. */
const char *record_wait(char *to, const struct shunt_value *time);

#endif
