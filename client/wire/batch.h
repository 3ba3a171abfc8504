/* batch: messages to one topic that travel in one PUBLISH frame, and the promises to call back for each of
 * them.
 *
 *   OPEN ── sealed (numbered, never changes again) ──> SEALED ── answered, refused, lost ──> FINISHED ──>
 * pool
 *
 * Messages are encoded straight into the buffer, behind room for the largest head a frame can have; sealing
 * writes the head right in front of them. */
#ifndef SHUNT_CLIENT_WIRE_BATCH_H
#define SHUNT_CLIENT_WIRE_BATCH_H

#include "client/wire/message.h"

struct promise {
    shunt_published_cb *callback; /* may be NULL */
    void *context;
    int64_t until_us; /* it is kept by then; INT64_MAX: some day */
    int64_t waits_us; /* somebody waits for it until then; 0: as long as it takes to be kept */
};

#define BATCH_MAGIC 0xe1ce419du
struct batch {
    uint32_t magic; /* from batch_begin() to the pool */
    struct batch *next;
    struct batch *prev;
    char topic[NAME_BYTES_MAX + 1];
    size_t topic_bytes;
    struct mpack_buffer bytes;
    size_t begin; /* SEALED: where the frame begins in `bytes` */
    struct promise *promises;
    size_t promises_capacity;
    uint32_t count;
    size_t body_bytes_max; /* of the largest body */
    uint64_t id;
    uint64_t number;   /* its only message's, of the program's; 0: none */
    uint64_t sequence; /* 0 without idempotence */
    uint64_t forget_below;
    int64_t until_us; /* somebody waits for one of its messages; INT64_MAX: without end */
    bool repeated;    /* it was begun on an earlier connection: some of it may be stored */
    bool begun;       /* some of it was handed to the socket */
    bool written;     /* all of it was handed to the socket of this connection */
    /* FINISHED */
    uint32_t accepted; /* this many have sequence numbers from first_seq on */
    uint64_t first_seq;
    struct shunt_error error; /* of the others */
    uint32_t called;          /* promises kept so far */
};

struct batch_queue {
    struct batch *head;
    struct batch *tail;
    size_t count;
};

/* The largest head: length, array, WITHIN, id, time-out, op, topic, sequence, forget_below, array. */
#define BATCH_HEAD_BYTES_MAX (4 + 1 + 1 + 9 + 9 + 2 + 2 + NAME_BYTES_MAX + 9 + 9 + 5)

struct batch *batch_new(void);
void batch_free(struct batch *b);
/* Empty and OPEN again, for `topic`. fails: NO_MEMORY. */
int batch_begin(struct batch *b, const char *topic, size_t topic_bytes);
/* Bytes of messages in it. */
size_t batch_bytes(const struct batch *b);
/* fails: NO_MEMORY, the batch is as before. */
int batch_add(struct batch *b, const struct shunt_message *m, struct promise promise);
/* The same for a message that is encoded already. */
int batch_add_raw(struct batch *b, struct slice message, size_t body_bytes, struct promise promise);
/* Take message `index` of an OPEN batch out. */
void batch_remove(struct batch *b, uint32_t index);
/* `id`, `sequence` and `forget_below` stay the frame's own. It has a head without a limit. */
void batch_seal(struct batch *b, uint64_t id, uint64_t sequence, uint64_t forget_below);
/* Write another head, before any of it is sent on a connection: with so much time, or REQUEST_NO_LIMIT. */
void batch_head(struct batch *b, uint64_t timeout_ms);

void batch_free_all(struct batch_queue *q);

#endif
