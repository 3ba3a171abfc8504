/* step: one thing that a turn does, and the list of them.
 *
 *     request ─ parse ─► step ─ gate ─► list ─ order ─► run, one after the other
 *     lease ended, time passed, message to hand out ──┘       │
 *                                  commands in a row: batch ─► applied ─► answered
 *
 * Reading a request only makes a step: nothing is applied, answered, or looked up that an earlier step could
 * change. What a step does, it does at its place in the list (run.c).
 *
 * Ownership: slices in a step point into the item that brought the request, or into the turn's
 * arena; so a step has run before its item is freed or moved.
 */
#ifndef SHUNT_ENGINE_STEP_H
#define SHUNT_ENGINE_STEP_H

#include "broker/core/command.h"
#include "broker/engine/refusals.h"
#include "proto/request.h"

#include <stdbool.h>

struct assignment;
struct engine;
struct login_ticket;
struct request;
struct session;
struct subscription;

enum step_kind {
    STEP_COMMAND,   /* goes into the batch, and is answered once that was applied */
    STEP_LOOK,      /* writes an answer from what was applied before it, and changes nothing */
    STEP_ACT,       /* does something to its connection, after what came before was applied, and answers */
    STEP_MARK,      /* tells the dispatcher something, and answers nothing */
    STEP_REPLY,     /* its answer was known when the request was read */
    STEP_REFUSED,   /* the same, for want of a right, which is noted */
    STEP_ENDED,     /* the peer sends nothing more */
    STEP_LOST,      /* the connection is gone */
    STEP_LOGIN,     /* the password of its HELLO has been verified */
    STEP_CAUGHT_UP, /* no answer to a lease that was over at a certain time is on its way */
    STEP_LEASES,    /* leases run out, by the time of the turn */
    STEP_KINDS,
};

/* ---- what requests come to, but for commands and those that stay as they were read ---- */

/* Deliveries of an earlier connection, as SUBSCRIBE names them. Lives as long as the turn. */
struct kept {
    bool given; /* the request had such a list */
    uint32_t count;
    struct delivery_name *names;
    bool *started;
    uint64_t *tokens; /* the new ones; 0: not taken up */
};

struct subscribing {
    uint64_t messages, bytes; /* credit */
    struct kept kept;
    struct subscription *made;
    int64_t lease_ms;
};

/* One entry of a RESOLVE that had no effect. */
struct refused_entry {
    uint32_t index;
    int code;
};

/* What one RESOLVE frame becomes, or a part of it. */
struct resolving {
    uint64_t subscription;
    struct resolution *entries; /* as they were read; then those that go into the command, closed up */
    uint8_t *outcomes;          /* of all that were read */
    uint32_t *indexes;          /* in the frame, of those that go into the command */
    uint32_t read, count;       /* of entries; of those in the command */
    uint32_t first;             /* index in the frame of the first that was read */
    struct refused_entry *refused;
    uint32_t refused_count;
};

/* ---- the step ---- */

struct step {
    enum step_kind kind;
    const struct request *request; /* its row of the table; NULL: nobody asked for it */
    struct session *session;       /* NULL: it is no connection's */
    uint64_t request_id;           /* 0: no reply is wanted */
    struct slice topic, group;     /* what it speaks of, if the request names them */
    uint64_t rows;                 /* of work (broker/flow/share.h), as its fields show it */
    union {
        struct command command;
        union request_fields fields;
        struct subscribing subscribing;
        struct resolving resolving;
        struct refusing refusing;
        bool closed;                 /* STEP_LOST: by the server */
        int64_t caught_up_ms;        /* STEP_CAUGHT_UP: by then */
        struct login_ticket *ticket; /* STEP_LOGIN: taken by what runs it */
    };
    const struct assignment *assignment; /* of an ASSIGN: whom it is for */
    bool keyed;                          /* a PUBLISH: one of its messages may have a key */
    bool more;                           /* the request goes on in a later turn: it is not answered yet */

    /* What came of it. */
    int err;
    int refusal;     /* PUBLISH: of the messages that were not taken */
    const char *why; /* beside the text of `err`; NULL: that says it all */
    /* with TOO_MANY: until it may be asked again; 0: nobody knows, and it is the setting's */
    int64_t wait_ms;
    uint64_t number; /* PUBLISH: of the first message; otherwise the job's */
    uint64_t count;  /* PUBLISH: accepted; otherwise of what the job is for */
};

/* The steps of a turn that have not run. */
struct steps {
    struct step *items; /* in the order that they came */
    size_t count, capacity;
    bool running;
};

/* Add a step of that kind, which is filled in by the caller; it may move with the next one. */
struct step *steps_add(struct engine *e, enum step_kind kind, struct session *s);
void steps_free(struct steps *list);

#endif
