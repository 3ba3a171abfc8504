/* sink: an output of ours (a pipe, a terminal, a file) for which the worker never waits. Bytes that it does not
 * take at once wait in a queue. If that is full, commands that write more are asked to wait, but not for long:
 * if the output takes nothing for SINK_PATIENCE_MS, lines are dropped and counted until it takes some again. So
 * a slow reader loses nothing, and a reader that hangs stops no command.
 */
#ifndef SHUNT_CLI_SINK_H
#define SHUNT_CLI_SINK_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SINK_BYTES       (1024u * 1024) /* of the queue */
#define SINK_PATIENCE_MS 5000
#define SINK_LAST_MS     1000 /* at our end: how long the queue may wait without progress */

struct sink {
    int fd;
    bool own; /* opened anew, so that it does not block and others who share it are not changed */
    bool socket;
    bool broken; /* nobody will ever read it */
    /* Bytes; 0: it does not block. Else it may, and so much can be written at once when poll() says that there is room. */
    size_t at_once_max;
    char *queue;
    size_t begin;
    size_t count;
    int64_t progress_ms; /* when something of the queue was taken, or the first came */
    uint64_t dropped;    /* lines since the last sink_take_dropped() */
    uint64_t dropped_in_all;
};

/* False without memory. `fd` stays the caller's. */
bool sink_open(struct sink *s, int fd);
/* Wait for what is in the queue, within bounds; drop the rest. Free. */
void sink_close(struct sink *s);

/* May more be put there, because there is room, or because it is given up? */
bool sink_takes(const struct sink *s, int64_t now_ms);

/* Put text there: as many whole lines as fit. Text that is no whole line fits or does not. */
void sink_put(struct sink *s, const char *bytes, size_t count);

/* To poll for; fd -1 if nothing waits. */
struct pollfd sink_poll(const struct sink *s);
/* When sink_takes() may change by itself; CLOCK_NEVER: not. */
int64_t sink_wake_ms(const struct sink *s, int64_t now_ms);
/* Write what can be written. */
void sink_pump(struct sink *s);

/* Lines dropped since the last time, once the sink takes again; 0 before. */
uint64_t sink_take_dropped(struct sink *s);

#endif
