/* reader: from bytes as they arrive to whole frames, without a buffer for each connection.
 *
 * All connections of a pool read into one shared chunk, each into the part behind the last. Whole frames are
 * handed on where they lie. Only a connection in the middle of a frame owns memory: its first bytes are
 * copied to a chunk of its own, made to the frame's size, and the rest is read straight into that. So an idle
 * connection costs nothing here, and `held_bytes` counts what the unfinished frames of all connections cost.
 *
 * Past `held_bytes_max` a connection must wait before it may have room for a longer frame, and reads little
 * at a time.
 */
#ifndef SHUNT_NET_READER_H
#define SHUNT_NET_READER_H

#include "broker/engine/port.h"

#define READER_CHUNK_BYTES (256u * 1024) /* the shared chunk */
#define READER_SMALL_BYTES (4u * 1024)   /* what a connection may hold even past held_bytes_max */

struct reader_pool {
    struct chunk *shared;  /* NULL before the first read */
    uint32_t shared_used;  /* bytes of it handed out already */
    size_t held_bytes;     /* capacity of the chunks that unfinished frames lie in */
    size_t reserved_bytes; /* of those in which the frame has all its room */
    size_t held_bytes_max;
    bool freed; /* some was given up; cleared by the owner, who lets those go on that waited for it */
};

struct reader {
    struct chunk *held; /* begins with the unfinished frame; NULL without one */
    uint32_t held_size; /* bytes in it */
    size_t need;        /* bytes that the unfinished frame takes, as far as known */
    bool reserved;      /* `held` is counted in reserved_bytes */
    bool greeted;       /* a HELLO came */
    bool busy;          /* the last read filled all the room there was */
};

enum reader_room {
    READER_ROOM,
    READER_WAIT, /* other connections' unfinished frames take too much: try again when held_bytes has fallen
                  */
    READER_NO_MEMORY, /* as it says */
};

struct reader_result {
    struct chunk *chunk; /* a reference for the caller; NULL if no frame is whole */
    struct slice frames; /* whole frames, in it */
    const char *why;     /* not NULL: what follows is not a frame; the connection must end */
    uint64_t request_id; /* with `why`: of the frame that is wrong, 0 if unknown */
    bool no_memory;      /* the unfinished frame could not be kept; the connection must end */
};

/* Give up what the pool holds. Frames handed out live on. */
void reader_pool_done(struct reader_pool *pool);

/* Where the next read may put its bytes. To be used before any other reader of the pool asks. */
enum reader_room reader_room(struct reader *r, struct reader_pool *pool, uint8_t **ret_at, size_t *ret_size);

/* True while reader_room() would say READER_WAIT. */
bool reader_must_wait(const struct reader *r, const struct reader_pool *pool);

/* `size` bytes have been read to the place that reader_room() gave; `room` is the size that it gave.
 * The first frame must be a HELLO of at most HELLO_BYTES_MAX, the others are at most `payload_max`. */
void reader_took(struct reader *r, struct reader_pool *pool, size_t size, size_t room, size_t payload_max,
                 struct reader_result *ret);

/* True in the middle of a frame. */
bool reader_is_partial(const struct reader *r);

/* Forget the unfinished frame. */
void reader_done(struct reader *r, struct reader_pool *pool);

#endif
