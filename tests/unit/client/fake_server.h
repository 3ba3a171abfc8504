/* fake_server: the other side of a client core, without a socket. What the core wants to send is taken and
 * cut into frames; what the server says is put into a buffer and fed to the core, all of it or byte by byte.
 */
#ifndef SHUNT_TESTS_FAKE_SERVER_H
#define SHUNT_TESTS_FAKE_SERVER_H

#include "client/driving/handle.h"
#include "proto/frame.h"
#include "proto/wire.h"

#define FRAMES_MAX 1024

/* A suite whose tests each have a fake server `f` of their own. */
#define FAKE_SUITE(suite)                                                                                    \
    static struct fake f;                                                                                    \
    static void suite##_suite_begin(void)                                                                    \
    {                                                                                                        \
        fake_init(&f);                                                                                       \
    }                                                                                                        \
    static void suite##_suite_end(void)                                                                      \
    {                                                                                                        \
        fake_done(&f);                                                                                       \
    }                                                                                                        \
    TestSuite(suite, .init = suite##_suite_begin, .fini = suite##_suite_end)

struct seen_frame {
    uint64_t op;
    uint64_t id;
    size_t offset;          /* in `sent`, of the whole frame */
    size_t size;            /* with the length field */
    struct mpack_reader at; /* behind op and id; good until the next fake_take() */
};

struct fake {
    struct settings settings;
    struct core core;
    int64_t now_us;
    bool within;              /* the next connection is to one that knows WITHIN */
    struct shunt handle;      /* only for calls that wake its loop: nobody watches it */
    struct mpack_buffer sent; /* all of this connection */
    size_t read;              /* frames seen of it, in bytes */
    struct mpack_buffer said; /* not fed yet */
    struct seen_frame frames[FRAMES_MAX];
    size_t count; /* frames of the last fake_take() */
};

void fake_init(struct fake *f);
/* The same with options, "key", "value", …, NULL. */
void fake_init_with(struct fake *f, ...);
void fake_done(struct fake *f);

/* Connect and answer HELLO; with these limits, or 0 for the protocol's own. */
void fake_connect(struct fake *f);
void fake_connect_with(struct fake *f, uint64_t max_body_bytes, uint64_t max_messages, uint64_t dedup_frames);
void fake_lose(struct fake *f);

/* Call back for all that there is. */
static inline void fake_call_back(struct core *core)
{
    while (core_call_back(core))
        continue;
}

/* What a resolver was told. */
struct outcome {
    int calls;
    int code;
};

static inline void fake_hear(void *context, const struct shunt_error *err)
{
    struct outcome *o = context;
    o->calls++;
    o->code = err ? err->code : 0;
}

/* Take at most `bytes` of output; returns how much there was. */
size_t fake_take_bytes(struct fake *f, size_t bytes);
/* Take all output and cut it into frames. */
void fake_take(struct fake *f);
/* Take all; the only frame, which must have this op. */
struct seen_frame *fake_only(struct fake *f, unsigned op);
/* The frame `i` of the last take, which must have this op. */
struct seen_frame *fake_frame(struct fake *f, size_t i, unsigned op);

/* Say something; fake_feed() sends it. */
void say_ok(struct fake *f, uint64_t id);
void say_published(struct fake *f, uint64_t id, uint64_t accepted, uint64_t first_seq, int code);
/* The same, and how long to wait with the rest. */
void say_stored_in_part(struct fake *f, uint64_t id, uint64_t accepted, uint64_t first_seq, int code,
                        int64_t retry_after_ms);
void say_error(struct fake *f, uint64_t id, int code, const char *text);
void say_subscribed(struct fake *f, uint64_t id, uint64_t sub);
/* `count` messages from `seq` on with the body "m<seq>" and token 1000 + seq. */
/* DELIVER of one dead letter, with a field that comes after what is known of it. */
void say_dead(struct fake *f, uint64_t sub, uint64_t seq);
void say_urgent(struct fake *f, uint64_t sub, uint64_t seq, int64_t deadline_ms, uint64_t remaining_ms);
void say_delivered(struct fake *f, uint64_t sub, uint64_t seq, uint32_t count, int64_t lease_ms);
/* `pairs` of index and code. */
void say_resolved(struct fake *f, uint64_t id, const uint64_t *pairs, uint32_t words);
void say_closed(struct fake *f, uint64_t sub, int code, const char *text);
int fake_feed(struct fake *f);
int fake_feed_in_pieces(struct fake *f, size_t piece);

/* Subscribe to `orders` as `default`, with subscription number `sub`. */
struct shunt_consumer *fake_subscribe(struct fake *f, uint64_t sub, uint64_t prefetch);
/* Connect, subscribe as number 7 and deliver `count` messages from number `first` on. */
struct shunt_consumer *fake_consume(struct fake *f, uint64_t first, uint32_t count);
/* Queue a message. Returns the code. */
int fake_publish(struct fake *f, const char *topic, const char *body, shunt_published_cb *callback,
                 void *context);
/* shunt_next() without a clock or a socket: mark, write, take. */
struct shunt_delivery *fake_next(struct shunt_consumer *c, struct fake *f);

#endif
