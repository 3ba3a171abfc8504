/* loan_say: what a loan (loan.h) writes to the engine, and of its messages to the client. */
#ifndef SHUNT_HTTP_LOAN_SAY_H
#define SHUNT_HTTP_LOAN_SAY_H

#include "broker/http/hello.h"
#include "broker/http/loan.h"
#include "proto/message.h"

/* Which request of its connection is answered: those with ANSWERS_ID and above are a client's answers. */
enum loan_id { SUBSCRIBE_ID = HELLO_ID + 1, PING_ID, CREDIT_ID, EXTEND_ID, IGNORED_ID, ANSWERS_ID };

void loan_say_request(struct loan *l, const struct request_form *form, uint64_t id,
                      const union request_fields *fields);
/* A RESOLVE of one entry. */
void loan_say_entry(struct loan *l, uint64_t id, const struct wire_entry *entry);
void loan_say_release(struct loan *l, const struct loan_entry *e);
/* All get the lease that the call asked for; EXTEND_ID is answered. */
void loan_say_extend_all(struct loan *l, int64_t now_ms);
/* The first message that is not answered counts as started from now on; that begins its lease anew. */
void loan_say_first_started(struct loan *l, int64_t now_ms);

/* Append a message to those that the call is answered with. `counts`: attempts, deliveries, generation, published. `dead`: a map, or
 * empty or nil. */
void loan_say_message(struct loan *l, const struct loan_entry *e, const uint64_t counts[4],
                      const struct message_view *m, struct slice dead, struct slice remaining);

#endif
