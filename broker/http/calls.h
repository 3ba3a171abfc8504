/* calls: requests of the API that are with the engine.
 *
 * Each call is a client like any other: a connection to this server's own net thread, on which HELLO and one request are sent, and
 * the answer is read. So it passes the same gate, waits in the same line, and is counted and logged with the address of the HTTP
 * client. One thread looks after all of them; it never waits for one alone.
 *
 *   TAKEN ──calls_send()──→ UNDER_WAY ──answer, end, or CALL_MS_MAX──→ DONE ──call_free()──→ (free)
 */
#ifndef SHUNT_HTTP_CALLS_H
#define SHUNT_HTTP_CALLS_H

#include "proto/mpack.h"

#define CALLS_MAX   16    /* at once, until their answers are sent */
#define CALL_MS_MAX 10000 /* for an answer */

struct calls;

enum call_state { CALL_FREE, CALL_TAKEN, CALL_UNDER_WAY, CALL_DONE };

#define CALL_MAGIC 0x83c6a5e1u
struct call {
    uint32_t magic;
    enum call_state state; /* under the lock of `calls` */
    struct calls *calls;
    int fd;                  /* -1 once it is DONE */
    struct mpack_buffer out; /* HELLO, and the request that the caller appends, with the id CALL_REQUEST_ID */
    size_t sent;
    struct mpack_buffer in; /* frames as they come; `read` bytes of them are done with */
    size_t read;
    int64_t deadline_ms; /* mono */
    void (*wake)(struct call *call);
    void *context; /* of wake */
    /* Once it is DONE: */
    int err;             /* DISCONNECTED, TIMEOUT, SHUTTING_DOWN, NO_MEMORY; what it did is unknown */
    struct slice answer; /* else the payload of an OK or ERROR frame, which lies in `in` */
};

#define CALL_REQUEST_ID 2

struct calls_config {
    bool auth;                                                          /* clients must log in */
    int (*connect)(void *context, const char *peer, const char *names); /* see net_connect() */
    void *context;
};

/* Start its thread. fails: IO, NO_MEMORY. */
int calls_start(const struct calls_config *config, struct calls **ret);
/* From now on none begins, or they do again. Those under way go on. When this returns, connect() is not called any more. */
void calls_open(struct calls *c, bool open);
/* End those under way with SHUTTING_DOWN, and the thread. */
void calls_stop(struct calls *c);
void calls_free(struct calls *c); /* all its calls are free; takes NULL */

struct caller;

/* Take a place for a call of that client. `producer` is PRODUCER_ID_BYTES that it says it is, or empty.
 * fails: TOO_MANY (all are taken), SHUTTING_DOWN (not open), NO_MEMORY. */
int calls_take(struct calls *c, const struct caller *caller, struct slice producer, struct call **ret);
/* Send it. `wake` is called once, when it is DONE, on another thread or inside this call. */
void call_send(struct call *call, void (*wake)(struct call *call), void *context);
bool call_is_done(struct call *call);
/* Give the place back; not while it is UNDER_WAY. Takes NULL. */
void call_free(struct call *call);

#endif
