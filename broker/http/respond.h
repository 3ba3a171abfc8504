/* respond: sends an answer through libmicrohttpd, with the headers that all of ours have. */
#ifndef SHUNT_HTTP_RESPOND_H
#define SHUNT_HTTP_RESPOND_H

#include "broker/http/problem.h"
#include <microhttpd.h>

struct peer;

#define TYPE_JSON    "application/json"
#define TYPE_PROBLEM "application/problem+json"

/* Answer with `response`, which it takes; NULL, without memory, closes the connection. `type` NULL: there is no body; `allow` NULL:
 * no header Allow. */
enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *type,
                        const char *allow, struct MHD_Response *response);

/* Answer with a text, which it takes. */
enum MHD_Result respond_text(struct MHD_Connection *connection, unsigned status, const char *type,
                             const char *allow, struct text *text);

/* Its place among the peers; may be NULL. */
struct peer *connection_peer(struct MHD_Connection *connection);

enum MHD_Result respond_problem(struct MHD_Connection *connection, const struct problem *problem,
                                const char *allow);
/* The same, and the connection ends with it: what follows of the request is not read, or cannot be told apart from the next. */
enum MHD_Result respond_last(struct MHD_Connection *connection, const struct problem *problem);

#endif
