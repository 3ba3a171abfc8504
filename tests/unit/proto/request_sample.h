/* request_sample: of each request, fields that it takes, made from proto/request.def; and what its bounds are. */
#ifndef SHUNT_TESTS_UNIT_PROTO_REQUEST_SAMPLE_H
#define SHUNT_TESTS_UNIT_PROTO_REQUEST_SAMPLE_H

#include "proto/request.h"

enum { SAMPLE_FIELDS_MAX = 8, SAMPLE_BOUNDS_MAX = 16 };

/* Append a value of the field's kind that is at its bound, or a list with so many elements. */
typedef void sample_put_fn(struct mpack_buffer *to, uint64_t value);

/* Of a field, or of a key of a field that is a map. */
struct sample_bound {
    uint32_t field;
    const char *key; /* NULL: the field's own */
    sample_put_fn *put;
    uint64_t max;
    int code;
    const char *text;
};

struct sample {
    const char *name;
    unsigned op;
    enum wire_need need;
    enum wire_effect effect;
    enum wire_answer answer;
    request_read_fn *read;
    const struct request_form *form;
    struct mpack_buffer fields[SAMPLE_FIELDS_MAX];
    const char *names[SAMPLE_FIELDS_MAX];
    bool optional[SAMPLE_FIELDS_MAX];
    uint32_t count, needed;
    struct sample_bound bounds[SAMPLE_BOUNDS_MAX];
    uint32_t bounds_count;
};

/* How many requests there are. */
uint32_t samples_count(void);
/* Make the sample of the request at that place of the table. */
void sample_make(struct sample *ret, uint32_t place);
void sample_done(struct sample *s);
/* Append its first fields, of which one is replaced if `replaced` is not NULL. */
void sample_write(const struct sample *s, uint32_t fields, uint32_t at, const struct mpack_buffer *replaced,
                  struct mpack_buffer *to);

struct sample_verdict {
    int err;
    char why[160];
};

/* What the request's reader says of these bytes, which must be values. `*ret` points into them. */
struct sample_verdict sample_judge(const struct sample *s, const struct mpack_buffer *bytes,
                                   union request_fields *ret);

#endif
