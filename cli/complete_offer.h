/* complete_offer: a candidate, as `shunt completion words` prints it. */
#ifndef SHUNT_CLI_COMPLETE_OFFER_H
#define SHUNT_CLI_COMPLETE_OFFER_H

struct complete;

/* Print `text` as a candidate if what is typed begins it and a shell takes it for one word. `note` may be NULL. */
void complete_offer(const struct complete *c, const char *text, const char *note);
/* A line that tells the shell what to do, such as `:files`. */
void complete_instruct(const char *what);

#endif
