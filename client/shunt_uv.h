/* shunt_uv.h: run a handle of shunt.h in a libuv loop. Header only; needs uv.h and shunt.h.
 *
 *   struct shunt_uv adapter;
 *   shunt_uv_init(&adapter, uv_default_loop(), s, on_failure, context);
 *   ... shunt_subscribe_async(), shunt_on_arrival() with shunt_next(c, 0, ...), shunt_resolve_async(), shunt_publish_async() ...
 *   shunt_goodbye_async(s, when_said, context);
 *   shunt_uv_close(&adapter, when_closed);      in when_said; then, in when_closed or later: shunt_close(s, 0)
 *
 * Everything happens in the loop's thread: callbacks come from shunt_process(), which the adapter calls when
 * the handle's descriptor is readable. The adapter borrows the handle and never closes it. Calls that take a
 * timeout block the loop while they wait; those named *_async do not.
 */
#ifndef SHUNT_UV_H
#define SHUNT_UV_H

#include <shunt.h>
#include <stdlib.h>
#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The handle has ended for good (see shunt_process()); the adapter has stopped watching. `err` is lent for
 * the call. */
typedef void shunt_uv_failed_cb(void *context, const struct shunt_error *err);
typedef void shunt_uv_closed_cb(void *context);

/* Owned by the caller; must live until shunt_uv_close() has called back. */
struct shunt_uv {
    unsigned magic; /* private: SHUNT_UV_MAGIC_ until it is closed */
    uv_poll_t poll;
    struct shunt *handle;
    shunt_uv_failed_cb *failed;
    shunt_uv_closed_cb *closed;
    void *context;
};

#define SHUNT_UV_MAGIC_ 0xc9ee02f0u

/* What libuv gives back; a program whose handles' data is not its own any more cannot go on. */
static inline struct shunt_uv *shunt_uv_of_(void *data)
{
    struct shunt_uv *u = (struct shunt_uv *)data;
    if (!u || u->magic != SHUNT_UV_MAGIC_)
        abort();
    return u;
}

static inline void shunt_uv_on_readable_(uv_poll_t *poll, int status, int events)
{
    struct shunt_uv *u = shunt_uv_of_(poll->data);
    struct shunt_error err;
    (void)status; /* an error on the descriptor shows in shunt_process() */
    (void)events;
    if (shunt_process(u->handle, &err) == 0)
        return;
    uv_poll_stop(poll);
    if (u->failed)
        u->failed(u->context, &err);
}

/* Watch `handle` in `loop`. `failed` may be NULL. Returns 0 or libuv's error, after which nothing is watched.
 */
static inline int shunt_uv_init(struct shunt_uv *u, uv_loop_t *loop, struct shunt *handle,
                                shunt_uv_failed_cb *failed, void *context)
{
    u->magic = SHUNT_UV_MAGIC_;
    u->handle = handle;
    u->failed = failed;
    u->closed = NULL;
    u->context = context;
    int rc = uv_poll_init(loop, &u->poll, shunt_fd(handle));
    if (rc != 0)
        return rc;
    u->poll.data = u;
    return uv_poll_start(&u->poll, UV_READABLE, shunt_uv_on_readable_);
}

static inline void shunt_uv_on_closed_(uv_handle_t *poll)
{
    struct shunt_uv *u = shunt_uv_of_(poll->data);
    u->magic = 0;
    if (u->closed)
        u->closed(u->context);
}

/* Stop watching. `closed` (may be NULL) is called from the loop when `u` may go and the handle may be closed.
 */
static inline void shunt_uv_close(struct shunt_uv *u, shunt_uv_closed_cb *closed)
{
    u->closed = closed;
    uv_close((uv_handle_t *)&u->poll, shunt_uv_on_closed_);
}

#ifdef __cplusplus
}
#endif

#endif
