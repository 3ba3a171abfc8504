/* wire: operations and constants of the protocol. proto/PROTOCOL.md says what each carries. */
#ifndef SHUNT_PROTO_WIRE_H
#define SHUNT_PROTO_WIRE_H

enum wire_op {
    /* client to server */
    OP_HELLO = 1,
    OP_GOODBYE = 2,
    OP_PING = 3,
    OP_PUBLISH = 10,
    OP_SUBSCRIBE = 20,
    OP_CREDIT = 21,
    OP_UNSUBSCRIBE = 22,
    OP_RESOLVE = 23,
    OP_STARTED = 24,
    OP_TOPIC_CREATE = 30,
    OP_TOPIC_UPDATE = 31,
    OP_TOPIC_SHOW = 32,
    OP_TOPIC_LIST = 33,
    OP_TOPIC_DELETE = 34,
    OP_TOPIC_PURGE = 35,
    OP_GROUP_CREATE = 40,
    OP_GROUP_UPDATE = 41,
    OP_GROUP_SHOW = 42,
    OP_GROUP_LIST = 43,
    OP_GROUP_DELETE = 44,
    OP_GROUP_PAUSE = 45,
    OP_GROUP_RESUME = 46,
    OP_PEEK = 50,
    OP_DLQ_LIST = 60,
    OP_DLQ_SHOW = 61,
    OP_DLQ_REDRIVE = 62,
    OP_DLQ_PURGE = 63,
    OP_JOB_SHOW = 70,
    OP_JOB_CANCEL = 71,
    OP_CLOCK_SET = 72,
    OP_STATS = 80,
    /* server to client */
    OP_OK = 128,
    OP_ERROR = 129,
    OP_DELIVER = 130,
    OP_CLOSED = 131,
};

/* Creating, changing, listing and looking, and not the way of a message. */
static inline int wire_op_looks(unsigned long long op)
{
    return op >= OP_TOPIC_CREATE && op <= OP_STATS;
}

/* What a RESOLVE entry says of a delivery. */
enum wire_outcome { OUTCOME_ACK = 0, OUTCOME_NACK = 1, OUTCOME_REJECT = 2, OUTCOME_RELEASE = 3, OUTCOME_EXTEND = 4 };

#endif
