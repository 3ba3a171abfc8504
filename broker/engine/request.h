/* request: what the engine knows of each request, by the tables in proto/request.def and step.def. */
#ifndef SHUNT_ENGINE_REQUEST_H
#define SHUNT_ENGINE_REQUEST_H

#include "broker/engine/step.h"

struct engine;

/* Make of the fields, which are within their bounds, what the step is to do. The step's request, session and names
 * are set. Returns 0, or what else is wrong with it and why in `ret->why`; PROTOCOL ends the connection. */
typedef int request_make_fn(struct session *s, const union request_fields *fields, struct step *ret);
/* Do what the step is for, at its place: write the answer, or add commands to the batch. */
typedef void step_fn(struct engine *e, struct step *st);

/* Whether the connection's next request may be read before this one has run. */
enum request_pace {
    REQUEST_FLOWS,
    REQUEST_STOPS,  /* no: the next one may need its effect */
    REQUEST_WEIGHS, /* no: what it costs shows only then; so it waits when a turn is full */
};

struct request {
    const char *name; /* NULL: there is no such operation */
    unsigned op;
    enum step_kind kind;
    unsigned command; /* an enum command_kind; 0: it is none */
    request_read_fn *read;
    request_make_fn *make; /* NULL: the step keeps the fields */
    step_fn *run;          /* NULL: its command goes into the batch as it was made, or it is a reply */
    enum request_pace pace;
    bool hurry; /* to be committed at once; otherwise what it does decides that */
    /* Up to so many bytes its answer is short. A longer request waits while much waits to be sent. */
    uint32_t short_bytes_max;
    enum wire_answer answer;
    enum wire_need need;
    enum wire_effect effect;
    const char *act; /* what the log calls it; NULL: it is not told of */
};

/* NULL: there is no such request. */
const struct request *request_find(uint64_t op);
/* Whether a WITHIN may carry it: what is answered, but for HELLO; and what nobody knows, to be refused as that. */
static inline bool request_fits_within(uint64_t op)
{
    return op != OP_WITHIN && op != OP_HELLO && op != OP_STARTED;
}

#endif
