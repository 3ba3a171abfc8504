/* conn_frames: what is made of a connection's plain bytes, and of their end. */
#include "broker/net/conn.h"

#include "proto/errors.h"
#include "proto/limits.h"

static bool post_frames(struct conn *c, struct chunk *chunk, struct slice frames);
static bool post_broken(struct conn *c, uint64_t request_id, const char *why);

void conn_take_frames(struct conn *c, size_t size, size_t socket_bytes)
{
    struct reader_result got;
    bool was_partial = reader_is_partial(&c->reader);
    reader_took(&c->reader, &c->net->pool, size, c->room, FRAME_BYTES_MAX, &got);
    if (c->reader.greeted && c->state == CONN_GREETING)
        c->state = CONN_OPEN;
    bool begun = !was_partial || got.chunk;
    if (begun)
        c->frame_begun_ms = net_now_ms(c->net);
    if (begun || c->reader.held_size - c->frame_bytes_counted >= NET_FRAME_PROGRESS_BYTES) {
        c->frame_since_ms = net_now_ms(c->net);
        c->frame_bytes_counted = c->reader.held_size;
    }
    if (got.chunk && !post_frames(c, got.chunk, got.frames))
        return;
    c->ask_left -= socket_bytes < c->ask_left ? socket_bytes : c->ask_left;
    conn_caught_up(c);
    if (got.why) {
        net_report(c->net, NET_BAD_FRAME, c->link->peer, got.why);
        if (!post_broken(c, got.request_id, got.why))
            conn_end(c, SHUNT_PROTOCOL, got.request_id, got.why);
    } else if (got.no_memory) {
        conn_no_memory(c, "no memory to keep a frame");
    }
}

/* Takes the reference to `chunk`. False: there was no memory, and the connection is closed. */
static bool post_frames(struct conn *c, struct chunk *chunk, struct slice frames)
{
    bool shared = chunk == c->net->pool.shared;
    bool posted = conn_post(c, &(struct inbox_item){.kind = PORT_FRAMES,
                                                    .chunk = chunk,
                                                    .bytes = frames,
                                                    .received_ms = conn_received_ms(c),
                                                    .memory_bytes = shared ? frames.size : chunk->capacity});
    if (!posted)
        chunk_unref(chunk);
    c->told_engine |= posted;
    return posted;
}

void conn_peer_ended(struct conn *c)
{
    conn_reading(c, READING_OVER);
    c->ask_left = 0;
    reader_done(&c->reader, &c->net->pool);
    if (c->state == CONN_BROKEN || c->state == CONN_ENDING)
        return; /* closed when all is written */
    if (c->state == CONN_OPEN && c->told_engine)
        (void)conn_post(c, &(struct inbox_item){.kind = PORT_ENDED}); /* or it is closed */
    else
        conn_close(c);
}

/* Let the engine refuse a bad frame, so that its answers to the frames before it go out first. False if it
 * does not know the connection yet. */
static bool post_broken(struct conn *c, uint64_t request_id, const char *why)
{
    if (!c->told_engine)
        return false;
    reader_done(&c->reader, &c->net->pool);
    c->state = CONN_BROKEN;
    c->ask_left = 0; /* what comes is thrown away */
    (void)conn_post(c, &(struct inbox_item){.kind = PORT_BROKEN, .request_id = request_id, .why = why});
    return true;
}
