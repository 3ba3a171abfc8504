/* loop: the blocking driver of a handle: connects, reads, writes and waits for the core. One epoll descriptor
 * holds the socket and a timer, so that shunt_fd() stays the same across reconnects. In a copy
 * (handle_is_copy()) none of these touches a descriptor but loop_done(). */
#ifndef SHUNT_CLIENT_DRIVING_LOOP_H
#define SHUNT_CLIENT_DRIVING_LOOP_H

#include "client/driving/events.h"
#include "client/driving/socket.h"
#include "client/wire/reconnect.h"

struct loop {
    struct url_list hosts;
    struct reconnect reconnect; /* which of them is in use, and when to try the next */
    struct events events;
    int epoll_fd;
    int timer_fd;
    struct socket socket;
    bool wanted;             /* there was a reason to connect, so it stays connected */
    bool blocked;            /* the socket took less than there was: wait until it is writable */
    bool watched;            /* shunt_fd() was asked for: the timer must wake its watcher */
    bool processing;         /* inside shunt_process(), which writes and sets the timer at its end */
    int64_t connect_at_us;   /* when to try next */
    int64_t give_up_us;      /* when to give up the attempt under way */
    int64_t armed_us;        /* what the timer is set to; INT64_MAX: not */
    int64_t looked_us;       /* when the socket was last asked whether something had come */
    uint64_t failures;       /* attempts that failed and connections that broke, ever */
    struct shunt_error last; /* why the latest of them did; code 0 once connected */
};

/* fails: IO. */
int loop_init(struct shunt *s, const struct url_list *hosts, struct shunt_error *err);
void loop_done(struct shunt *s);

/* Begin to connect or give an attempt up, as the time says. */
void loop_advance(struct shunt *s, int64_t now_us);
/* Write what there is, as far as the socket takes it. */
void loop_send(struct shunt *s, int64_t now_us);
/* Wait until something comes or `until_us`, and take it in; calls nobody back. */
void loop_wait(struct shunt *s, int64_t until_us);

/* Turn until met(arg). fails: TIMEOUT or UNREACHABLE after timeout_ms, the handle's fatal error. */
int loop_until(struct shunt *s, int64_t timeout_ms, bool (*met)(void *arg), void *arg,
               struct shunt_error *err);

/* Something was queued outside of shunt_process(): wake who watches shunt_fd(). */
void loop_wake(struct shunt *s);
/* A call that may have changed anything ends outside of shunt_process(): see to it that who watches
 * shunt_fd() is woken when something is to be done. */
void loop_rest(struct shunt *s);

int64_t loop_deadline_us(int64_t timeout_ms);
/* The failure of a call whose time is over: UNREACHABLE while there is no connection, else TIMEOUT. */
int loop_timed_out(const struct shunt *s, struct shunt_error *err);

#endif
