/* net_side: what the net thread is to an engine, for programs with threads of their own. */
#ifndef SHUNT_TESTS_TSAN_NET_SIDE_H
#define SHUNT_TESTS_TSAN_NET_SIDE_H

#include "broker/engine/engine.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                  \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

static struct flow_totals totals;

/* Post whole frames, as the reader does: in a chunk that the engine frees. */
static inline void post_frames(struct engine *e, struct link *link, const struct mpack_buffer *frames)
{
    struct inbox_item *item = calloc(1, sizeof *item);
    MUST(item && !frames->failed);
    item->kind = PORT_FRAMES;
    item->chunk = chunk_new((uint32_t)frames->size);
    MUST(item->chunk);
    memcpy(item->chunk->data, frames->data, frames->size);
    item->bytes = (struct slice){item->chunk->data, frames->size};
    item->link = link;
    link_ref(link);
    engine_post(e, item);
}

static inline void post_word(struct engine *e, struct link *link, enum port_kind kind)
{
    struct inbox_item *item = calloc(1, sizeof *item);
    MUST(item);
    item->kind = kind;
    item->link = link;
    link_ref(link);
    engine_post(e, item);
}

static inline void put_hello(struct mpack_buffer *to)
{
    size_t frame = frame_begin(to, OP_HELLO, 1, 3);
    mpack_write_uint(to, 1);
    mpack_write_uint(to, 1);
    mpack_write_map(to, 0);
    frame_end(to, frame);
}

static inline struct engine_config engine_defaults(void (*notify)(void *context),
                                                   void (*fatal)(void *, int, const char *), void *context)
{
    return (struct engine_config){.limits = {.max_body_bytes = 1 << 20,
                                             .max_topics = 1000,
                                             .max_groups = 64,
                                             .dedup_window_ms = 3600000,
                                             .unsent_bytes_max = 1 << 16,
                                             .inbox_bytes_max = 1 << 18,
                                             .commit_bytes_max = 1 << 16},
                                  .totals = &totals,
                                  .notify = notify,
                                  .fatal = fatal,
                                  .context = context};
}

#endif
