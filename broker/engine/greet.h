/* greet: a connection whose user is known is let in, or hears why not. */
#ifndef SHUNT_ENGINE_GREET_H
#define SHUNT_ENGINE_GREET_H

struct engine;
struct step;

/* The step's session gets its seat and its holder, and the answer to HELLO. */
void greet(struct engine *e, struct step *st);
/* The password of its HELLO has been verified, as the step's ticket says, which is taken: greet it or refuse it; what it sent meanwhile goes on. */
void greet_verified(struct engine *e, struct step *st);

#endif
