/* patience: what is not sent at once. The broker says with some errors how long it wants to be left alone; calls that are
 * tried again wait for a random time as well, and are no more than the budget allows (budget.h).
 *
 *   the connection   ended by the broker (SHUTTING_DOWN, TOO_MANY): the next attempt waits (reconnect.h)
 *   publishes        one was refused with NO_SPACE or TOO_MANY: those that are not sent wait, because the store has no room for them
 *                    either, or the limit on what is published is theirs, too
 *   calls            refused for what passes by itself, or lost with the connection: asked again
 *   subscriptions    refused for the moment: consumer.c asks again
 */
#ifndef SHUNT_CLIENT_WIRE_PATIENCE_H
#define SHUNT_CLIENT_WIRE_PATIENCE_H

#include "client/shunt.h"
#include "client/wire/budget.h"

struct call;
struct core;
struct mpack_reader;

struct patience {
    struct retry_budget budget; /* of calls */
    int64_t seen_us;            /* the latest time that was passed in */
    /* said with what closes this connection: how long to wait before the next; 0: nothing */
    int64_t closing_ms;
    int64_t asked_until_us; /* until then the broker wants to be left alone, by what it said last */
    int64_t calls_at_us;    /* when a queued call is to be asked again; INT64_MAX: none waits */
    bool held;              /* publishes are, because of `why`, … */
    int64_t held_until_us;  /* … until then */
    struct shunt_error why;
};

void patience_init(struct core *core);
/* The field at the end of ERROR and CLOSED, ms, 0 if it is not there; and that it was said. */
int64_t patience_read(struct core *core, struct mpack_reader *r, int64_t now_us);
/* There is no connection any more: another one may lead to a broker that has asked for nothing. */
void patience_lost(struct core *core);

/* A publish was refused. */
void patience_publish_refused(struct core *core, const struct shunt_error *error, int64_t wait_ms,
                              int64_t now_us);
/* True if publishes wait; ends that when its time has passed. */
bool patience_holds(struct core *core, int64_t now_us);
/* When something of all this goes on; INT64_MAX: nothing waits. */
int64_t patience_due_us(const struct core *core);

/* The call, which was sent, may be asked once more, in `wait_ms` and a random time: it is queued then. False: its end is to be told. */
bool patience_asks_again(struct core *core, struct call *call, int64_t wait_ms);
/* True if the error passes without anybody doing something. */
bool patience_passes(int code);

#endif
