/* operator: what its files share; what it is for others is in raw.h. */
#ifndef SHUNT_TESTS_SIM_OPERATOR_H
#define SHUNT_TESTS_SIM_OPERATOR_H

#include "tests/sim/raw.h"

/* A request about a place, with its names; `fields` of the request are what is behind its number. NULL: not now. */
struct asked_request *operator_ask(struct raw *r, struct mpack_buffer *frame, size_t *offset, unsigned op,
                                   uint32_t fields, unsigned place);
/* For the history. */
void operator_note(struct sim *s, enum history_kind kind, const struct place *p);

/* ---- operator_dead.c ---- */

/* All dead letters of the place, or some of them: OP_DLQ_REDRIVE or OP_DLQ_PURGE. */
void operator_redrive(struct raw *r, unsigned op, unsigned place);
/* A rule is set, or turned on or off, or deleted. */
void operator_change_rule(struct raw *r, unsigned place);
void operator_about_job(struct raw *r, unsigned op, uint64_t job);
/* Some job, which may be over or not there. */
void operator_change_job(struct raw *r);

#endif
