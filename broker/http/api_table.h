/* api_table: the calls of the admin API as one table, made from api.def, and which of them a request is. */
#ifndef SHUNT_HTTP_API_TABLE_H
#define SHUNT_HTTP_API_TABLE_H

#include "broker/http/target.h"
#include "broker/http/text.h"
#include "proto/wire.h"

#define API_PREFIX "/api/v1"

/* What a call is. */
enum api_what {
    API_REQUEST,
    API_LIST,
    API_SETTINGS,
    API_UNATTENDED,
    API_EVENTS,
    API_LEASE, /* this one and those behind it: API_WORK */
    API_ACK,
    API_NACK,
    API_REJECT,
    API_RELEASE,
    API_LATE,
    API_EXTEND
};

struct api_row {
    const char *method, *path;
    enum api_what what;
    unsigned op; /* of a request; 0 of other calls */
    unsigned status;
    const char *request; /* its name; NULL of other calls */
    const char *text;
};

extern const struct api_row api_rows[];
extern const unsigned api_rows_count;

#define API_PARAMETERS_MAX 4
#define API_NAMES_MAX      6

/* How the answer of a row is written. */
struct api_answer {
    const char *next; /* of the last row's map: where the next page begins; NULL: the answer says it */
    const char *names[API_NAMES_MAX]; /* of the fields; none: the one field is the answer */
};

const struct api_answer *api_answer_of(enum wire_answer answer); /* NULL: no row has such an answer yet */

/* A value that stands in the path. */
struct api_parameter {
    struct slice name, value;
};

struct api_match {
    const struct api_row *row;
    struct api_parameter parameters[API_PARAMETERS_MAX];
    unsigned parameters_count;
};

enum api_found { API_FOUND, API_NO_PATH, API_OTHER_METHOD };

/* The call that a request is; HEAD is GET. Parameters lie in the target. */
enum api_found api_find(const char *method, const struct target *target, struct api_match *ret);

#define API_ALLOW_BYTES 64
/* The methods of the calls with this path: `GET, HEAD, PATCH, OPTIONS`; empty if there are none. */
void api_allow(const struct target *target, char ret[API_ALLOW_BYTES]);

/* The list of calls, as JSON. */
void api_write_list(struct text *to);
/* The settings of topics and groups, as JSON. */
void api_write_settings(struct text *to);

#endif
