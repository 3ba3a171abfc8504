/* api: the admin API under /api/v1 (docs/api.md). A call becomes one request of the protocol (fields.h), goes to the engine as one
 * client's (calls.h), and its answer comes back as JSON (json_answer.h). What changes can be
 * followed (stream.h).
 *
 * On libmicrohttpd's thread, but api_ready() and api_stop(). */
#ifndef SHUNT_HTTP_API_H
#define SHUNT_HTTP_API_H

#include "broker/http/calls.h"
#include "broker/http/loans.h"
#include <microhttpd.h>

#define API_BODY_BYTES_MAX   (1024u * 1024)      /* of a request; PUBLISH_BYTES_MAX of one that publishes */
#define API_BODIES_BYTES_MAX (32u * 1024 * 1024) /* of all requests together, until each is with the engine */

struct api;
struct api_request;
struct peers;
struct sampler;

struct api_config {
    const char *hosts; /* names that Host may have beside loopback; lives as long as the API */
    bool https;        /* clients speak TLS */
    struct calls_config calls;
    struct loans_limits loans;
    struct changes *changes; /* for those that follow them; outlives the API; NULL: the API is switched off */
    struct peers *peers;
    struct sampler *sampler; /* whose trail is shown; outlives the API */
};

/* Make it. fails: IO, NO_MEMORY. */
int api_start(const struct api_config *config, struct api **ret);
/* Calls are taken from now on, or no longer; any thread. */
void api_ready(struct api *a, bool ready);
/* For those who ask whether they may watch. */
struct calls *api_calls(struct api *a);
/* Answer those that wait. Later calls are refused. Before libmicrohttpd is stopped; any thread. */
void api_stop(struct api *a);
void api_free(struct api *a); /* after api_stop(), and when no request is left; takes NULL */

/* True if a request with this target is for the API. */
bool api_is_meant(const char *target);

/* One request: it begins with its target as it came; then its headers are there, then each part of its body, then it is whole. The
 * last is called again once the engine has answered. NULL without memory. */
struct api_request *api_request_new(struct api *a, struct MHD_Connection *connection, const char *target);
/* False: the body is not taken, for what `*ret` says. */
bool api_request_headers(struct api_request *r, const char *method, struct problem *ret);
enum MHD_Result api_request_body(struct api_request *r, const char *bytes, size_t size);
enum MHD_Result api_request_whole(struct api_request *r);
/* It is over; `sent`: its answer has left. Takes NULL. */
void api_request_free(struct api_request *r, bool sent);

#endif
