/* sending: an answer of the engine that leaves as JSON, a block at a time. */
#ifndef SHUNT_HTTP_SENDING_H
#define SHUNT_HTTP_SENDING_H

#include "broker/http/api_table.h"
#include <microhttpd.h>

/* Answer with `payload`, an OK frame's (json_answer.h), which is good until `release` is called; that is always, and once. */
enum MHD_Result sending_begin(struct MHD_Connection *connection, unsigned status, struct slice payload,
                              const struct api_answer *form, void (*release)(void *owner), void *owner);

#endif
