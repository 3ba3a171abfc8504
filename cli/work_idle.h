/* work_idle: what `work` asks when it has nothing to do: is the group drained, is it paused?
 *
 * Between two messages that follow each other nothing is asked: only after a moment without any. */
#ifndef SHUNT_CLI_WORK_IDLE_H
#define SHUNT_CLI_WORK_IDLE_H

#include <stdbool.h>
#include <stdint.h>

struct call;

struct work_idle {
    struct call *call;
    bool drain;
    bool idle;        /* since the last call of work_idle_busy() */
    bool told_paused; /* and not yet that it goes on */
    int64_t pause_ms;
    int64_t look_at_ms;
    int64_t news_at_ms;       /* without drain: not before */
    int64_t unanswered_at_ms; /* since when the broker did not answer; CLOCK_NEVER: it did */
};

enum idle_verdict {
    IDLE_GO_ON,
    IDLE_DRAINED,
    IDLE_PAUSED, /* with --drain: it is, or all that is left is blocked; told, and no use to wait */
    IDLE_FAILED  /* told; the code is in ret_code */
};

void work_idle_init(struct work_idle *i, struct call *call, bool drain);
/* A message came, or commands or answers are under way. */
void work_idle_busy(struct work_idle *i);
/* Nothing is under way. Asks the broker if it is time to; while `connected` is false it only watches the
 * clock. The call waits for an answer, but not long: the next one goes on. Messages may have arrived
 * meanwhile: take them before you sleep. */
enum idle_verdict work_idle_look(struct work_idle *i, bool connected, int *ret_code);

#endif
