/* form: the fields of requests as data, made from request.def: what they are called and of which kind they are. */
#ifndef SHUNT_HTTP_FORM_H
#define SHUNT_HTTP_FORM_H

#include "base/slice.h"
#include "proto/wire.h"

/* A field of a request, or a key of a map. */
struct form_field {
    const char *name; /* NULL: there are no more */
    const char *kind;
    bool optional;
};

struct form {
    const char *name;
    unsigned op;
    enum wire_effect effect;
    enum wire_answer answer;
    const struct form_field *fields;
};

const struct form *form_of(unsigned op); /* NULL: there is no such request */
/* The keys of a kind that is a map, which may all be left out; NULL: it is none. */
const struct form_field *form_map(const char *kind);
/* NULL: there is none. */
const struct form_field *form_find(const struct form_field *fields, struct slice name);

#endif
