/* pump_private: the pump, as pump.c (its thread) and pump_life.c (its connections, from state to state) share it. */
#ifndef SHUNT_HTTP_PUMP_PRIVATE_H
#define SHUNT_HTTP_PUMP_PRIVATE_H

#include "broker/http/pump.h"
#include "broker/http/pump_conn.h"

/* One that was accepted. */
struct pump_waiting {
    int fd;
    struct sockaddr_storage from;
    socklen_t from_bytes;
};

#define PUMP_MAGIC 0x91f3a04du
struct pump {
    uint32_t magic;
    struct pump_config config;
    pthread_t thread;
    int wake_fd; /* readable: look at what follows */
    struct pump_tls tls;

    pthread_mutex_t door; /* held while one is let in */
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t taken; /* by the thread, of those that wait */
    struct http_handshakes handshakes;
    struct pump_waiting waiting[PUMP_WAITING_MAX];
    unsigned waiting_count;
    bool closed;      /* its door is; under both locks */
    int64_t until_ms; /* it is to end then; CLOCK_NEVER: not yet */

    /* The thread's own. */
    int epoll_fd,
        arriving_fd; /* the second lies in the first, so that the kernel gives all handshakes their turns */
    struct pump_watch wake, arrivals;
    struct ring arriving, open, leaving, closed_ones; /* each in the order in which they came to it */
    unsigned arriving_count, leaving_count;
    struct pump_room room;
};

/* ---- pump_life.c, the pump's thread ---- */

/* One comes, beside at most `handshakes_max` others that are not in yet. Takes its socket. */
void pump_life_begin(struct pump *p, const struct pump_waiting *w, unsigned handshakes_max, int64_t now_ms);
/* It is not CLOSED: go on with it; `hung_up`: libmicrohttpd has ended its side. */
void pump_life_go_on(struct pump *p, struct pump_conn *c, bool hung_up, int64_t now_ms);
/* Events that were told before may still name it, so its memory goes later. */
void pump_life_close(struct pump *p, struct pump_conn *c);
/* End those whose time is over, and, once the door is closed, those that are not in. Returns when the next one's time is over. */
int64_t pump_life_times(struct pump *p, int64_t handshake_ms, bool closed, int64_t now_ms);

#endif
