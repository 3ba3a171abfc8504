/* producer: messages on their way to the broker, each batch one PUBLISH frame.
 *
 * Batches stand in three queues: `open` (still growing), `sealed` (numbered, sent or about to be, not
 * answered), and `finished` (promises to be kept by producer_call_back()). After a lost connection all sealed
 * ones are sent again as they are, in order, before any new one. A handle has one producer id; numbers count
 * up by one for each frame. */
#ifndef SHUNT_CLIENT_WIRE_PRODUCER_H
#define SHUNT_CLIENT_WIRE_PRODUCER_H

#include "client/wire/batch.h"
#include "client/wire/requests.h"
#include "client/wire/settings.h"

/* So many frames are unanswered at most, for what waits then grows into larger ones. More, as long as an open
 * batch waits for every PRODUCER_FRAMES_EACH of them: messages to so many topics do not share frames, and
 * waiting would only leave the broker's commits small. Never more than the server keeps answers for. */
#define PRODUCER_FRAMES_MAX  128
#define PRODUCER_FRAMES_EACH 16

/* Where the open batch of a topic may be found: in one of the few places that its name's hash chooses. */
#define PRODUCER_BUCKETS 64
#define BUCKET_PLACES    4

/* What the server said in HELLO; before that, the protocol's own limits. */
struct server_limits {
    size_t body_bytes;
    size_t frame_bytes;
    uint32_t messages;
    uint32_t dedup_frames;
};

struct producer {
    const struct settings *settings;
    struct server_limits limits;
    uint8_t id[PRODUCER_ID_BYTES];
    uint64_t next_sequence;
    struct batch_queue open;
    struct batch *growing[PRODUCER_BUCKETS][BUCKET_PLACES]; /* of `open`: one of a topic, its newest */
    struct batch_queue sealed;
    struct batch_queue finished;
    struct batch *unsent; /* the first of `sealed` that is not written on this connection, or NULL */
    size_t unsent_offset; /* bytes of it that are */
    struct batch *pool;
    size_t pool_count;
    int64_t messages;           /* promised and not called back */
    int64_t bytes;              /* in open and sealed batches */
    struct shunt_error failure; /* the first of a publish without a callback, since it was last asked for */
};

void producer_init(struct producer *p, const struct settings *settings, const uint8_t id[PRODUCER_ID_BYTES]);
void producer_done(struct producer *p);

/* Take a message in. *ret_full: a batch is as large as it may get, now is a good time to send.
 * fails: BUSY, BAD_NAME, RESERVED, TOO_LARGE, NO_MEMORY. */
int producer_add(struct producer *p, const char *topic, const struct shunt_message *m, struct promise promise,
                 bool *ret_full, struct shunt_error *err);

/* The batch to write next after `after` (NULL: producer->unsent or, if all sealed ones are written, the next
 * to seal), sealed; NULL if there is none or too many frames are unanswered. */
struct batch *producer_next(struct producer *p, struct requests *requests, const struct batch *after);
/* Whether there is a batch that is not wholly written, and whether producer_next(NULL) has one. */
bool producer_has_unwritten(const struct producer *p);
bool producer_may_write(const struct producer *p);
/* `size` bytes of the batch `unsent` (which producer_next() returned) were written. */
void producer_written(struct producer *p, size_t size);

/* The reply for `b`. accepted, first_seq as in PROTOCOL.md section 3; `code` for the rest. */
void producer_answered(struct producer *p, struct batch *b, uint64_t accepted, uint64_t first_seq, int code,
                       const char *text);
/* The connection is gone. Ids of batches that are given up leave `requests`. */
void producer_lost(struct producer *p, struct requests *requests);
/* Nothing will be sent any more: all promises end with this error. */
void producer_fail_all(struct producer *p, const struct shunt_error *error);

/* Promises whose time has passed end as TIMEOUT. A message that was not sent is taken back; another goes its way.
 * Returns when the next one passes; not later than `now_us` if there was no memory for one. */
int64_t producer_expire(struct producer *p, int64_t now_us);

/* Keep one promise; false if there is none left to keep. The callback may add messages. */
bool producer_call_back(struct producer *p);

/* Take back the one message promised to `context`, or, if it was sealed already, at least call nobody back.
 * True: it will never be stored. */
bool producer_withdraw(struct producer *p, shunt_published_cb *callback, const void *context);

/* ---- between producer.c and producer_seal.c ---- */

/* Out of the open ones. */
void producer_leave_open(struct producer *p, struct batch *b);
/* A batch from the pool or a new one; NULL without memory. Its topic must be a valid name. */
struct batch *producer_get_batch(struct producer *p, const char *topic, size_t topic_bytes);
void producer_recycle(struct producer *p, struct batch *b);
/* `b`, in no queue, is done: none of it was stored. */
void producer_finish_failed(struct producer *p, struct batch *b, const struct shunt_error *error);

#endif
