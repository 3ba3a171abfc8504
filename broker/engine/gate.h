/* gate: what a connection may ask for, and what it may see: its user's rights (core/identity.h) against what a request needs
 * (gate_demand.h). The one place where rights are asked for.
 *
 *     request ─ fields ─► gate_ask() ─ may ─► step
 *                             └ may not ─► FORBIDDEN, which is noted (refusals.h)
 *
 * Names are compared with patterns before anything is looked up, so the answer about a topic that one has no right to is the same
 * whether there is one or not. Connections of anybody (authentication is off) and of the local administrator are not asked.
 */
#ifndef SHUNT_ENGINE_GATE_H
#define SHUNT_ENGINE_GATE_H

#include "broker/core/view.h"
#include "broker/engine/gate_demand.h"
#include "broker/engine/step.h"
#include "broker/engine/who.h"

struct user;

/* In place of the rights that are missing: that one is an administrator. */
#define REFUSED_USERS (1u << RIGHTS)

static inline bool who_is_asked(const struct who *w)
{
    return w->how > WHO_LOCAL;
}

/* Of a connection that is asked: the user as it is now; NULL: it is not there any more, or disabled, or another
 * one is called so, or its token has expired. */
const struct user *gate_user(const struct engine *e, const struct who *w);
/* Why there is none, in a sentence that lives as long as the turn. */
const char *gate_why_nobody(struct engine *e, const struct who *w);
/* Of a connection that is asked: 0, or what the request of the step is refused with, in `st->why` the reason; then the step becomes
 * the refusal. The step's request and names are set, its fields are `fields`. FORBIDDEN; NOT_FOUND, of a job that one may not look at;
 * UNAUTHENTICATED, if the user is not there any more. */
int gate_ask(struct session *s, struct step *st, const union request_fields *fields);
/* The same, of what shows only at the step's place: a right that it needs beside, on the topic that it names. */
int gate_ask_more(struct session *s, struct step *st, enum wire_need need);
/* Whether the user has the rights that `need` asks for on the topic. */
bool gate_lets(const struct engine *e, const struct user *u, enum wire_need need, struct slice topic);
/* What the connection may look at, for a listing. Lives as long as the step. */
struct view gate_view(struct session *s);
/* It may look at everything there is, dead letters too. */
bool gate_sees_all(const struct session *s);
/* It has `admin` on every topic. */
bool gate_sees_clients(const struct session *s);

#endif
