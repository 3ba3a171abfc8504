/* event: what an operator wants to read in the log of what the engine did. The engine never logs: it tells
 * the program that made it, after the commit that made it so. */
#ifndef SHUNT_ENGINE_EVENT_H
#define SHUNT_ENGINE_EVENT_H

#include "proto/words.h"
#include <stdbool.h>
#include <stdint.h>

enum event_kind {
    EVENT_ACT,      /* a client changed, deleted, purged, redrove or paused something */
    EVENT_JOB_DONE, /* what such an act began is done */
    EVENT_DEAD,     /* messages of one group became dead letters */
    EVENT_CAUSE,    /* they died of something new, or of what was taken for resolved */
    EVENT_OVERDUE,  /* nobody has looked at some that are as old as dlq-slo */
    EVENT_BREAKER,  /* the breaker of a group has opened, or closed */
    EVENT_FULL,     /* from now on publishes are refused */
    EVENT_ROOM,     /* from now on they no longer are */
    EVENT_CLOCK,    /* at the start: the times that are shown are off */
    EVENT_REFUSED,  /* `count` requests of `user` were refused for want of a right */
};

/* Texts live for the call. NULL or 0: there is no such thing. */
struct event {
    enum event_kind kind;
    const char *name;          /* act: such as `topic_created`; of a job: its kind */
    const char *topic, *group; /* the failing ones */
    uint64_t job;
    uint64_t count; /* of messages: that the act is about, that the job went through, that died */
    /* EVENT_ACT: */
    const char *user;                 /* who; of EVENT_REFUSED too, as what follows */
    const char *client, *host, *peer; /* who, by its own account; its address */
    const char *asked;                /* for what: `lease_ms=30000 ttl_ms=inherit` */
    const char *why;                  /* as the client gave it */
    bool access; /* it is about users, roles or tokens: somebody may do more now, or less */
    /* EVENT_DEAD, of the last of them; EVENT_CAUSE, of the one that told; EVENT_OVERDUE, of the first: */
    uint64_t seq;
    enum dead_reason reason; /* EVENT_DEAD */
    int64_t died_ms;         /* EVENT_OVERDUE: as it is shown */
    /* EVENT_CAUSE: */
    uint64_t cause; /* fingerprint */
    const char *title;
    bool regressed;
    /* EVENT_BREAKER: `count` is of the different messages that had failed when it opened */
    bool open;
    int64_t open_ms; /* it has closed: how long it was open */
    /* EVENT_FULL, EVENT_ROOM: */
    const char *limit;                                            /* what bounds the store: `map` or `disk` */
    uint64_t free_bytes, reserve_bytes, map_bytes, map_bytes_max; /* full: less is free than is kept */
    /* EVENT_CLOCK, and the act that puts it right: */
    int64_t error_ms; /* ahead of the machine's clock */
};

#endif
