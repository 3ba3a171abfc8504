/* line: connections that have used their share, one behind the other until their turn comes. */
#ifndef SHUNT_ENGINE_LINE_H
#define SHUNT_ENGINE_LINE_H

struct engine;

/* At the begin of a turn: let those in the line go on. */
void line_go_on(struct engine *e);

#endif
