/* inbox: what other threads have posted. */
#ifndef SHUNT_ENGINE_INBOX_H
#define SHUNT_ENGINE_INBOX_H

struct engine;
struct inbox_item;

/* Move all of it behind the backlog; under `mutex`. */
void inbox_take(struct engine *e);
void inbox_free(struct inbox_item *item); /* a whole list; takes NULL */

#endif
