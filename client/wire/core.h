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
    struct call_list calls; /* QUEUED and SENT, oldest first */
    bool work;              /* something may have to be written to `out` */
    bool leaving;           /* GOODBYE is coming: no further batch is begun */
    bool marks_waiting;     /* shunt_next() had something whose mark was not sent yet */
    bool arrivals;          /* some consumer's callback may be due */
    struct random random;
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
 * core. Then core_sent() with how much the socket took. */
int core_output(struct core *core, int64_t now_us, struct iovec *pieces, int max);
void core_sent(struct core *core, size_t size);
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

#endif
