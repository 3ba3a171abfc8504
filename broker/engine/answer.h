/* answer: what a request is answered with, once it has run. */
#ifndef SHUNT_ENGINE_ANSWER_H
#define SHUNT_ENGINE_ANSWER_H

struct step;

/* Write what came of it: its error, or OK with the fields that it is answered with. */
void step_answer(const struct step *st);

#endif
