/* calls: see calls.h. */
#include "broker/http/calls.h"

#include "base/clock.h"
#include "base/magic.h"
#include "base/secret.h"
#include "broker/http/caller.h"
#include "broker/http/hello.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/wire.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (64u * 1024)

#define CALLS_MAGIC 0xf04bb3c9u
struct calls {
    uint32_t magic;
    struct calls_config config;
    int wake_fd;
    pthread_t thread;
    pthread_mutex_t lock;
    bool open, stopping, ended;
    struct call list[CALLS_MAX];
};

static void lock(struct calls *c)
{
    (void)pthread_mutex_lock(&c->lock); /* not held by this thread: cannot fail */
}

static void unlock(struct calls *c)
{
    (void)pthread_mutex_unlock(&c->lock); /* held by this thread: cannot fail */
}

/* ---- one call, on the thread of all ---- */

static void finish(struct call *call, int err)
{
    struct calls *c = call->calls;
    call->err = err;
    (void)close(
        call->fd); /* what it was to say has come; a client that reads slowly must not keep a connection, nor a stop waiting */
    call->fd = -1;
    lock(c);
    call->state = CALL_DONE;
    unlock(c);
    call->wake(call);
}

/* False: the connection has ended. */
static bool send_some(struct call *call)
{
    while (call->sent < call->out.size) {
        ssize_t size = send(call->fd, call->out.data + call->sent, call->out.size - call->sent, MSG_NOSIGNAL);
        if (size < 0)
            return errno == EAGAIN || errno == EINTR;
        call->sent += (size_t)size;
    }
    return true;
}

/* Look for the answer among the frames that came: HELLO's is passed over if it is OK. True if it is there. */
static bool find_answer(struct call *call)
{
    struct slice payload;
    size_t need;
    const char *why;
    while (frame_next(call->in.data + call->read, call->in.size - call->read, FRAME_BYTES_MAX, &payload,
                      &need, &why) == FRAME_WHOLE) {
        struct mpack_reader r;
        mpack_read_init(&r, payload.data, payload.size);
        (void)mpack_read_array(&r); /* a frame begins so */
        uint64_t op = mpack_read_uint(&r), id = mpack_read_uint(&r);
        call->read += FRAME_HEADER_BYTES + payload.size;
        if (id == CALL_REQUEST_ID || op == OP_ERROR) {
            call->answer = payload;
            return true;
        }
    }
    return false;
}

enum progress { GOES_ON, ANSWERED, ENDED, NO_ROOM };

static enum progress read_some(struct call *call)
{
    for (;;) {
        size_t size = call->in.size;
        void *room = mpack_extend(&call->in, READ_BYTES);
        if (!room)
            return NO_ROOM;
        ssize_t got = recv(call->fd, room, READ_BYTES, 0);
        call->in.size = size + (got > 0 ? (size_t)got : 0);
        if (got == 0)
            return ENDED;
        if (got < 0)
            return errno == EAGAIN || errno == EINTR ? GOES_ON : ENDED;
        if (find_answer(call))
            return ANSWERED;
    }
}

static void serve(struct call *call, short events, int64_t now_ms)
{
    enum progress progress = GOES_ON;
    if (events & POLLOUT)
        progress = send_some(call) ? GOES_ON : ENDED;
    if (events & (POLLIN | POLLHUP | POLLERR))
        progress = read_some(call); /* an answer may lie there though nothing can be sent any more */
    if (progress == ANSWERED)
        finish(call, 0);
    else if (progress == ENDED)
        finish(call, SHUNT_DISCONNECTED);
    else if (progress == NO_ROOM)
        finish(call, SHUNT_NO_MEMORY);
    else if (now_ms >= call->deadline_ms)
        finish(call, SHUNT_TIMEOUT);
}

/* ---- the thread ---- */

/* Those under way, and what to wait for. Returns how many. */
static unsigned gather(struct calls *c, struct call *calls[CALLS_MAX], struct pollfd fds[CALLS_MAX],
                       int64_t *ret_until_ms, bool *ret_stop)
{
    unsigned count = 0;
    *ret_until_ms = CLOCK_NEVER;
    lock(c);
    *ret_stop = c->stopping;
    for (unsigned i = 0; i < CALLS_MAX; i++) {
        struct call *call = &c->list[i];
        if (call->state != CALL_UNDER_WAY)
            continue;
        bool sends = call->sent < call->out.size;
        calls[count] = call;
        fds[count++] = (struct pollfd){.fd = call->fd, .events = (short)(POLLIN | (sends ? POLLOUT : 0))};
        if (call->deadline_ms < *ret_until_ms)
            *ret_until_ms = call->deadline_ms;
    }
    if (*ret_stop)
        c->ended = true; /* what comes from now on is refused */
    unlock(c);
    return count;
}

static void *run(void *argument)
{
    struct calls *c = magic_of(argument, calls, CALLS_MAGIC);
    struct call *calls[CALLS_MAX];
    struct pollfd fds[CALLS_MAX + 1];
    int64_t until_ms;
    bool stop;
    for (;;) {
        unsigned count = gather(c, calls, fds, &until_ms, &stop);
        if (stop) {
            for (unsigned i = 0; i < count; i++)
                finish(calls[i], SHUNT_SHUTTING_DOWN);
            return NULL;
        }
        fds[count] = (struct pollfd){.fd = c->wake_fd, .events = POLLIN};
        if (poll(fds, count + 1, clock_poll_ms(until_ms)) < 0)
            continue; /* a signal */
        eventfd_t ignored;
        if (fds[count].revents)
            (void)eventfd_read(c->wake_fd, &ignored); /* gather() looks at everything */
        int64_t now_ms = clock_mono_ms();
        for (unsigned i = 0; i < count; i++)
            serve(calls[i], fds[i].revents, now_ms);
    }
}

/* ---- public ---- */

int calls_start(const struct calls_config *config, struct calls **ret)
{
    struct calls *c = calloc(1, sizeof *c);
    if (!c)
        return SHUNT_NO_MEMORY;
    c->magic = CALLS_MAGIC;
    c->config = *config;
    (void)pthread_mutex_init(&c->lock, NULL); /* with default attributes it does not fail on Linux */
    c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->wake_fd >= 0 && pthread_create(&c->thread, NULL, run, c) == 0) {
        *ret = c;
        return 0;
    }
    c->ended = true;
    calls_free(c);
    return SHUNT_IO;
}

void calls_open(struct calls *c, bool open)
{
    lock(c);
    c->open = open;
    unlock(c);
}

void calls_stop(struct calls *c)
{
    lock(c);
    c->stopping = true;
    c->open = false;
    unlock(c);
    (void)eventfd_write(c->wake_fd, 1); /* it cannot be full */
    (void)pthread_join(c->thread, NULL);
}

void calls_free(struct calls *c)
{
    if (!c)
        return;
    check(c->ended);
    if (c->wake_fd >= 0)
        (void)close(c->wake_fd);           /* nothing is lost */
    (void)pthread_mutex_destroy(&c->lock); /* nobody has it */
    c->magic = 0;
    free(c);
}

int calls_take(struct calls *c, const struct caller *caller, struct slice producer, struct call **ret)
{
    struct call *call = NULL;
    lock(c);
    int err = c->open ? SHUNT_TOO_MANY : SHUNT_SHUTTING_DOWN;
    for (unsigned i = 0; c->open && !call && i < CALLS_MAX; i++) {
        if (c->list[i].state == CALL_FREE)
            call = &c->list[i];
    }
    int fd = call ? c->config.connect(c->config.context, caller->peer, caller->names) : -1;
    if (call)
        err = fd < 0 ? SHUNT_NO_MEMORY : 0;
    if (!err)
        *call = (struct call){.magic = CALL_MAGIC, .state = CALL_TAKEN, .calls = c, .fd = fd};
    unlock(c);
    if (err)
        return err;
    hello_write(&call->out, caller->client, login_header_auth(&caller->login), caller->watches, producer);
    *ret = call;
    return 0;
}

void call_send(struct call *call, void (*wake)(struct call *call), void *context)
{
    struct calls *c = call->calls;
    call->wake = wake;
    call->context = context;
    call->deadline_ms = clock_mono_ms() + CALL_MS_MAX;
    lock(c);
    bool ended = c->ended;
    if (!ended)
        call->state = CALL_UNDER_WAY;
    unlock(c);
    if (ended)
        finish(call, SHUNT_SHUTTING_DOWN);
    else
        (void)eventfd_write(c->wake_fd, 1); /* it cannot be full */
}

bool call_is_done(struct call *call)
{
    lock(call->calls);
    bool done = call->state == CALL_DONE;
    unlock(call->calls);
    return done;
}

void call_free(struct call *call)
{
    if (!call)
        return;
    struct calls *c = call->calls;
    check(call->state == CALL_TAKEN || call->state == CALL_DONE);
    if (call->fd >= 0)
        (void)close(call->fd); /* nothing was sent */
    if (call->out.data)        /* HELLO may hold a password */
        secret_wipe(call->out.data, call->out.size);
    mpack_buffer_done(&call->out);
    mpack_buffer_done(&call->in);
    lock(c);
    *call = (struct call){.state = CALL_FREE};
    unlock(c);
}
