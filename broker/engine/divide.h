/* divide: a request that is more than a share is handled in parts, in turns that follow each other. */
#ifndef SHUNT_ENGINE_DIVIDE_H
#define SHUNT_ENGINE_DIVIDE_H

#include "base/ring.h"
#include "proto/mpack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct publish_command;
struct refused_entry;
struct session;
struct step;

/* So much of a request is done at once, whatever is left of its share: what is smaller is never divided. */
#define DIVIDE_ROWS_MIN 1024

/* How far the request of one session has come. */
struct division {
    bool begun;         /* the session's next frame is that request */
    bool over;          /* it has been answered: what follows in it is not looked at */
    uint32_t done;      /* messages or entries handled */
    size_t at;          /* where in its array the next is */
    size_t part_bytes;  /* of what was handled in this turn */
    uint64_t first_seq; /* PUBLISH: of its first message */
    uint64_t topic;     /* the same for the same topic; while it has the topic, it is in the engine's ring */
    struct ring publishing;
    struct refused_entry *refused; /* RESOLVE: by the parts before */
    size_t refused_capacity;
    uint32_t refused_count;
};

/* So many rows of work may be done for it in this turn, at least DIVIDE_ROWS_MIN. */
uint64_t share_left(const struct session *s);
/* The request, by its operation and what stands at the reader, is a PUBLISH to a topic, or the deletion of
 * one, to which another connection publishes in parts: it waits for that. */
bool divide_must_wait(const struct session *s, uint64_t op, const struct mpack_reader *fields);
/* Of a PUBLISH whose topic and messages are set: leave as many of its messages as may be stored in this turn,
 * and go on with the others later. `p`: all of its messages; becomes those of this part.
 * Returns the rows that these are. */
uint64_t divide_publish(struct session *s, struct publish_command *p);
/* A part was applied, which stored up to the message of that number. */
void divide_published(struct session *s, const struct step *st);
/* A part of a RESOLVE was applied. */
void divide_resolved(struct session *s, const struct step *st);
/* The request comes to its end, or its session does. */
void divide_end(struct session *s);

#endif
