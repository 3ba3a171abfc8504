/* tell: log lines about what the engine did: administrative acts, dead letters, a full store. Bounded:
 * neither a client that changes settings in a loop nor a flood of deaths may fill the disk with log.
 */
#ifndef SHUNT_BROKER_TELL_H
#define SHUNT_BROKER_TELL_H

#include "broker/engine/engine.h"
#include "broker/log.h"
#include <pthread.h>

#define TELL_WINDOW_MS  10000
#define TELL_ACTS_MAX   100 /* lines about acts and jobs in one window */
#define TELL_GROUPS_MAX 64  /* whose deaths have a line of their own in one window */

/* Deaths of one group: the first has a line at once, those after it one line when the window ends. */
struct tell_group {
    char topic[TOPIC_BYTES_MAX + 1], group[NAME_BYTES_MAX + 1];
    int64_t window_ms; /* when the window began */
    uint64_t count;    /* not told yet */
    uint64_t seq;      /* of the newest */
    enum dead_reason reason;
};

struct tell {
    const struct log *log;
    pthread_mutex_t lock; /* the engine's thread tells, the main thread looks whether a window has ended */
    int64_t acts_window_ms;
    uint32_t acts;
    uint64_t acts_suppressed;
    struct tell_group groups[TELL_GROUPS_MAX];
    size_t groups_count;
    uint64_t dead_others; /* of groups for which there was no room */
};

void tell_init(struct tell *t, const struct log *log);
void tell_done(struct tell *t);
/* An event of the engine. Any thread. */
void tell_event(struct tell *t, const struct event *event, int64_t now_ms);
/* Tell what waits for the end of its window, if that has come or (`all`) in any case. */
void tell_due(struct tell *t, int64_t now_ms, bool all);

#endif
