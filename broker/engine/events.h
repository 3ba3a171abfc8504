/* events: what the turn has to tell for the log; it is told once it is durable. */
#ifndef SHUNT_ENGINE_EVENTS_H
#define SHUNT_ENGINE_EVENTS_H

#include "broker/engine/event.h"

#include <stdbool.h>
#include <stddef.h>

struct command;
struct engine;
struct result;
struct step;
struct store_usage;

struct event_list {
    struct event *items;
    size_t count, capacity;
    uint64_t dead_without_event, overdue_without_event; /* for which there was no room */
    bool told_full;
};

/* A command was applied, and answered. */
void events_act(struct engine *e, const struct step *st);
/* Such a command REFUSAL was added to the batch. */
void events_refused(struct engine *e, const struct command *c);
/* Whether publishes are refused has been looked at. */
void events_space(struct engine *e, const struct store_usage *usage);
/* At the start: if the clock is off, the log says so, because times then look wrong. */
void events_clock(struct engine *e);
/* Reported by the ledger. */
void events_died(struct engine *e, uint32_t group, uint64_t seq, enum dead_reason reason);
void events_cause(struct engine *e, const struct result *r);
void events_breaker(struct engine *e, const struct result *r);
void events_overdue(struct engine *e, const struct result *r);
void events_job_ended(struct engine *e, const struct result *r);
/* All of it is durable: tell. */
void events_tell(struct engine *e);
void events_done(struct engine *e);

#endif
