/* peek: look at the messages of a group, or at dead letters, and take none. */
#ifndef SHUNT_CLI_PEEK_H
#define SHUNT_CLI_PEEK_H

struct call;

/* `consume --peek`; returns an exit code. */
int peek(struct call *call);

#endif
