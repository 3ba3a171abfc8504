/* core: the protocol as a client speaks it, without sockets and without a clock. Bytes received go in, bytes
 * to send come out, time is passed in; callbacks wait in queues until core_call_back(), where the state is
 * whole and they may use the handle again.
 *
 *   OFFLINE ── core_online() ──> GREETING ── OK of HELLO ──> READY
 *      ^──────────────── core_offline() ─────────────────────┘
 */
#ifndef SHUNT_CLIENT_WIRE_CORE_H
#define SHUNT_CLIENT_WIRE_CORE_H

#include "client/wire/call.h"
#include "client/wire/consumer.h"
#include "client/wire/output.h"
#include "client/wire/patience.h"
#include "client/wire/producer.h"
#include <sys/uio.h>

enum core_phase { CORE_OFFLINE, CORE_GREETING, CORE_READY };

struct core {
    const struct settings *settings;
    enum core_phase phase;
    struct input input;
    struct output output; /* all but PUBLISH */
    struct requests requests;
    struct producer producer;
    struct resolutions resolutions;
    struct shunt_consumer *consumers;
    struct call_list calls;  /* QUEUED and SENT, oldest first */
    struct call *goodbye;    /* to be queued as soon as all is answered; NULL: none */
    struct notice_list told; /* to be called back */
    bool work;               /* something may have to be written to `out` */
    bool within;             /* the broker knows WITHIN */
    bool leaving;            /* GOODBYE is coming: no further batch is begun */
    bool left;               /* it is answered or given up: no further connection */
    bool marks_waiting;      /* shunt_next() had something whose mark was not sent yet */
    bool arrivals;           /* some consumer's callback may be due */
    int64_t expires_us;      /* core_expire() has nothing to do before */
    int64_t heard_us;        /* when something last came on this connection */
    int64_t pinged_us;       /* when a PING went since; 0: none */
    struct random random;
    struct patience patience;
    struct shunt_error fatal; /* code 0 while the handle can be used */
    struct shunt_error said;  /* what the server said last before it closed, code 0 if nothing */
};

void core_init(struct core *core, const struct settings *settings, uint64_t seed,
               const uint8_t producer_id[PRODUCER_ID_BYTES]);
void core_done(struct core *core);
/* A new connection stands: HELLO is the first output. fails: NO_MEMORY. */
int core_online(struct core *core);
/* It is gone; what was under way is queued again, or ends as DISCONNECTED or STALE. */
void core_offline(struct core *core);
/* Nothing more will be sent: everything that waits ends with `error`. */
void core_end(struct core *core, const struct shunt_error *error);

/* Room to receive into; NULL without memory. Then core_received(), which reads all whole frames.
 * fails: PROTOCOL and NO_MEMORY (close the connection), UNAUTHENTICATED and VERSION_MISMATCH (fatal). */
void *core_space(struct core *core, size_t *ret_size);
int core_received(struct core *core, size_t size, int64_t now_us, struct shunt_error *err);

/* What is to be sent next, at most `max` pieces; 0 if nothing. The pieces live until the next call into the
 * core. Then core_sent() with how much the socket took; or core_taken() with how much was taken on its way
 * there and will go before anything else, and core_sent(core, 0) when the socket has all that was taken. */
int core_output(struct core *core, int64_t now_us, struct iovec *pieces, int max);
void core_sent(struct core *core, size_t size);
void core_taken(struct core *core, size_t size);
/* True if core_output() may have something. */
bool core_has_output(const struct core *core);
/* When core_output() will have something without being asked for more, INT64_MAX if it does not know. */
int64_t core_due_us(const struct core *core);
/* True if there is a reason to be connected. */
bool core_has_work(const struct core *core);

/* True if core_call_back() has something to do. */
bool core_has_callbacks(const struct core *core);
/* Call back for one thing that has ended or arrived, and which may use the handle again; false if there is
 * none. */
bool core_call_back(struct core *core);

/* ---- calls ---- */

void core_queue_call(struct core *core, struct call *call);
/* Nobody waits for it any more. */
void core_forget_call(struct core *core, struct call *call);
/* It ends with this error, code 0 if it went well. */
void core_end_call(struct core *core, struct call *call, const struct shunt_error *error);
/* How much is queued or sent and not called back: messages, answers, and calls. */
size_t core_pending(const struct core *core);
/* Say goodbye as soon as everything before it is answered; takes the call, which has a notice. */
void core_part(struct core *core, struct call *goodbye);
/* Look whether it is time. */
void core_try_to_part(struct core *core);

/* ---- limits (core_limits.c) ---- */

/* Until when a call that begins now must have been answered; INT64_MAX: some day. */
int64_t core_limit_us(struct core *core, int64_t now_us);
/* For how many ms somebody will still wait for an answer, for request_begin_within(); REQUEST_NO_LIMIT: without end, or the broker
 * cannot be told. */
static inline uint64_t core_within_ms(const struct core *core, int64_t until_us, int64_t now_us)
{
    if (!core->within || until_us == INT64_MAX)
        return REQUEST_NO_LIMIT;
    return until_us <= now_us ? 0 : ((uint64_t)(until_us - now_us) + 999) / 1000;
}
/* Calls whose limit has passed end. */
void core_expire(struct core *core, int64_t now_us);
/* When a PING is due, or the answer to the one under way. INT64_MAX: never. */
int64_t core_ping_due_us(const struct core *core);
/* Write it if it is due. fails: NO_MEMORY. */
int core_write_ping(struct core *core, int64_t now_us);
/* The broker has left a PING unanswered for an interval, and said nothing else. */
bool core_is_silent(const struct core *core, int64_t now_us);

#endif
