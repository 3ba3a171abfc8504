/* request: what the engine knows of each request, by the table in broker/engine/request.def. */
#ifndef SHUNT_ENGINE_REQUEST_H
#define SHUNT_ENGINE_REQUEST_H

#include "broker/engine/step.h"
#include "proto/wire.h"

struct engine;

/* Read the fields into the step, whose request and session are set. A malformed one leaves the reader failed.
 * Returns 0, or what is wrong with it and why in `ret->why`; PROTOCOL ends the connection. */
typedef int request_fn(struct session *s, struct mpack_reader *r, struct step *ret);
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
    request_fn *read;
    step_fn *run; /* NULL: its command goes into the batch as it was read, or it is a reply */
    enum request_pace pace;
    bool hurry; /* to be committed at once; otherwise what it does decides that */
    /* Up to so many bytes its answer is short. A longer request waits while much waits to be sent. */
    uint32_t short_bytes_max;
    enum answer_shape answer;
    enum wire_right right;
    const char *act; /* what the log calls it; NULL: it is not told of */
};

/* NULL: there is no such request. */
const struct request *request_find(uint64_t op);

#endif
