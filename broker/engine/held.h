/* held: what a connection sent and has to wait for: that its client reads, or that its turn comes (flow.h). */
#ifndef SHUNT_ENGINE_HELD_H
#define SHUNT_ENGINE_HELD_H

#include "broker/flow/flow.h"

#include <stddef.h>

struct inbox_item;
struct request;
struct session;

/* So many bytes may still be assigned to it, beside what was planned. */
uint64_t session_room(const struct session *s);
/* What its next request has to wait for: its own bytes to be read, or others' too as its answer may be long. */
enum flow_ask session_must_wait(const struct session *s, const struct request *request, size_t bytes);
/* If too much waits for it: nothing more is assigned to it until the net thread says that it was read. */
void session_look_at_output(struct session *s);
void session_drained(struct session *s); /* it says so */
/* What it sent while it waited comes in front of the backlog. */
void session_go_on(struct session *s);
/* Its request waits: keep an item until session_drained() puts it in front of the backlog. Takes the item. */
void session_block(struct session *s, struct inbox_item *item, enum flow_ask ask);
/* It has used its share: it stands in the line, with this item, until its turn comes. Takes the item. */
void session_queue(struct session *s, struct inbox_item *item);
/* Keep an item behind those that are held already. Takes it. */
void session_hold(struct session *s, struct inbox_item *item);
void session_release(struct session *s, struct inbox_item *item); /* it is about to be handled */
void session_forget_held(struct session *s);
/* Nothing more is taken of it, nor assigned: it is closed when its output is sent. */
void session_close(struct session *s);

#endif
