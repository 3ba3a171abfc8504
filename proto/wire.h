/* wire: operations and constants of the protocol. proto/request.def lists what each carries, and
 * proto/PROTOCOL.md says what it means. */
#ifndef SHUNT_PROTO_WIRE_H
#define SHUNT_PROTO_WIRE_H

enum wire_op {
#define REQUEST(NAME, name, number, right, effect, answer) OP_##NAME = number,
#define NOTICE(NAME, number, text)                         OP_##NAME = number,
#include "proto/request.def"
};

/* What a connection has to be allowed to do: proto/need.def. */
enum wire_need {
#define NEED(NAME, on, rights, dlq_rights, quota, text) NEED_##NAME,
#include "proto/need.def"
    WIRE_NEEDS
};

/* What a request does: show what is stored, change it, or something about its own connection. */
enum wire_effect { EFFECT_LOOKS, EFFECT_CHANGES, EFFECT_SELF };

/* What follows OK in the answer. */
enum wire_answer {
    ANSWER_NONE, /* there is no answer */
#define ANSWER(NAME, fields, text) ANSWER_##NAME,
#include "proto/request.def"
    WIRE_ANSWERS
};

/* How many fields that are, those that may be left out not counted: FIELDS_OF_JOB is 1. */
enum {
#define ANSWER(NAME, fields, text) FIELDS_OF_##NAME = fields,
#include "proto/request.def"
};

/* What a HELLO may ask for: the history of dead letters in deliveries from a DLQ; WITHIN. */
#define FEATURE_DEAD_HISTORY "dead_history"
#define FEATURE_WITHIN       "within"
#define FEATURE_WATCH        "watch" /* of connections that the server makes to itself alone */

/* What a RESOLVE entry says of a delivery. */
enum wire_outcome {
    OUTCOME_ACK = 0,
    OUTCOME_NACK = 1,
    OUTCOME_REJECT = 2,
    OUTCOME_RELEASE = 3,
    OUTCOME_EXTEND = 4,
    OUTCOME_LATE = 5
};

#endif
