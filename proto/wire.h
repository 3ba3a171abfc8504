/* wire: operations and constants of the protocol. proto/request.def lists what each carries, and
 * proto/PROTOCOL.md says what it means. */
#ifndef SHUNT_PROTO_WIRE_H
#define SHUNT_PROTO_WIRE_H

enum wire_op {
#define REQUEST(name, number, right, fields, answer) OP_##name = number,
#define NOTICE(name, number, fields)                 OP_##name = number,
#include "proto/request.def"
};

/* What a connection will have to be allowed to do. */
enum wire_right { RIGHT_NONE, RIGHT_LOOK, RIGHT_PUBLISH, RIGHT_CONSUME, RIGHT_ADMIN };

/* The right that each request needs: RIGHT_OF_PUBLISH is RIGHT_PUBLISH. */
enum {
#define REQUEST(name, number, right, fields, answer) RIGHT_OF_##name = RIGHT_##right,
#include "proto/request.def"
};

/* What a RESOLVE entry says of a delivery. */
enum wire_outcome {
    OUTCOME_ACK = 0,
    OUTCOME_NACK = 1,
    OUTCOME_REJECT = 2,
    OUTCOME_RELEASE = 3,
    OUTCOME_EXTEND = 4
};

#endif
