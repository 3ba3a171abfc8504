/* names: what a topic or group may be called, and how messages and dead letters are named.
 *
 * A name is 1 to NAME_BYTES_MAX bytes of [A-Za-z0-9._-], not starting with a dot. `dlq:TOPIC:GROUP` names a
 * dead-letter queue: it can be consumed and inspected, never created or published to.
 */
#ifndef SHUNT_PROTO_NAMES_H
#define SHUNT_PROTO_NAMES_H

#include "proto/limits.h"
#include "proto/mpack.h"

/* 0, or BAD_NAME or RESERVED (it holds a ':') with a sentence in *ret_why (static). For names a user may create. */
int name_check(struct slice name, const char **ret_why);

/* If `name` is `dlq:TOPIC:GROUP`, true and the two parts. */
bool name_is_dlq(struct slice name, struct slice *ret_topic, struct slice *ret_group);

/* 0 if `name` can name an existing topic: a valid name or a valid DLQ name; otherwise as name_check(). */
int name_check_topic(struct slice name, const char **ret_why);

/* Write `dlq:TOPIC:GROUP`, terminated, into `to` (at least TOPIC_BYTES_MAX + 1 bytes); returns its length. */
size_t name_dlq(char *to, struct slice topic, struct slice group);

/* What a user or a role may be called: 1 to NAME_BYTES_MAX bytes of [A-Za-z0-9._@-]. */
bool name_is_user(struct slice name);

/* A name that a client certificate may carry: `dns:`, `email:`, `uri:` (of its subjectAltName) or `cn:` (of its subject), and what
 * follows: at most CERTIFICATE_NAME_BYTES_MAX bytes in all, UTF-8 without control characters. */
bool name_is_of_certificate(struct slice name);

/* Parse `TOPIC/SEQ` (the topic may be a DLQ). False if it is not of that shape or SEQ is 0 or overflows. */
bool name_parse_id(struct slice id, struct slice *ret_topic, uint64_t *ret_seq);

#endif
