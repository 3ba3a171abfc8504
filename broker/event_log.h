/* event_log: log lines about what the engine did: administrative acts, dead letters, a full store. Bounded:
 * neither a client that changes settings in a loop nor a flood of deaths may fill the disk with log.
 */
#ifndef SHUNT_BROKER_EVENT_LOG_H
#define SHUNT_BROKER_EVENT_LOG_H

#include "broker/engine/engine.h"
#include "broker/log.h"
#include <pthread.h>

#define EVENT_LOG_WINDOW_MS  10000
#define EVENT_LOG_LINES_MAX  100 /* about acts and jobs, and about causes, in one window */
#define EVENT_LOG_GROUPS_MAX 64  /* of which dead letters have a line of their own in one window */

/* Lines that are written at once, and bounded by their number. */
struct event_log_lines {
    int64_t window_ms; /* when the window began */
    uint32_t written;
    uint64_t suppressed;
};

/* Deaths, or overdue dead letters, of one group: the first have a line at once, those after it one line when the
 * window ends. */
struct event_log_group {
    enum event_kind kind;
    char topic[TOPIC_BYTES_MAX + 1], group[NAME_BYTES_MAX + 1];
    int64_t window_ms; /* when the window began */
    uint64_t count;    /* not told yet */
    uint64_t seq;      /* of the newest death, or of the first that is overdue */
    enum dead_reason reason;
};

struct event_log {
    const struct log *log;
    pthread_mutex_t lock; /* the engine's thread tells, the main thread looks whether a window has ended */
    struct event_log_lines acts, causes, breakers, refusals;
    struct event_log_group groups[EVENT_LOG_GROUPS_MAX];
    size_t groups_count;
    uint64_t dead_others, overdue_others; /* of groups for which there was no room */
};

void event_log_init(struct event_log *t, const struct log *log);
void event_log_done(struct event_log *t);
/* An event of the engine. Any thread. */
void event_log_write(struct event_log *t, const struct event *event, int64_t now_ms);
/* Tell what waits for the end of its window, if that has come or (`all`) in any case. */
void event_log_due(struct event_log *t, int64_t now_ms, bool all);

#endif
