/* respond: see respond.h. */
#include "broker/http/respond.h"

#include "base/magic.h"
#include "broker/http/peers.h"
#include <stdio.h>

/* How a client may say who it is, the better known one first. */
static const char *const logins[] = {"Basic realm=\"shunt\", charset=\"UTF-8\"", "Bearer realm=\"shunt\""};
#define LOGINS (sizeof logins / sizeof logins[0])

/* A browser meets Basic with a dialog of its own, also in front of a page that has one. A script can say what it is. */
static size_t first_login(struct MHD_Connection *connection)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Requested-With") ? 1 : 0;
}

/* `retry_after_s` 0: the client is not told when to come back. `last`: the connection ends with it. */
static enum MHD_Result respond_with(struct MHD_Connection *connection, unsigned status, const char *type,
                                    const char *allow, int64_t retry_after_s, bool last,
                                    struct MHD_Response *response)
{
    enum MHD_Result ok = MHD_YES;
    char seconds[24];
    if (!response)
        return MHD_NO;
    (void)snprintf(seconds, sizeof seconds, "%lld", (long long)retry_after_s); /* it fits */
    if (type)
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (ok == MHD_YES)
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (ok == MHD_YES) /* what a message says must not run as a page */
        ok = MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (ok == MHD_YES && allow)
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    for (size_t i = first_login(connection); ok == MHD_YES && status == MHD_HTTP_UNAUTHORIZED && i < LOGINS;
         i++)
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, logins[i]);
    if (ok == MHD_YES && retry_after_s)
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    if (ok == MHD_YES && last)
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (ok == MHD_YES)
        ok = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return ok;
}

static int64_t retry_after_s(unsigned status, int64_t asked_ms)
{
    int64_t least_s = status == MHD_HTTP_SERVICE_UNAVAILABLE, asked_s = (asked_ms + 999) / 1000;
    return asked_s > least_s ? asked_s : least_s;
}

enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *type,
                        const char *allow, struct MHD_Response *response)
{
    return respond_with(connection, status, type, allow, retry_after_s(status, 0), false, response);
}

static struct MHD_Response *response_of(struct text *text)
{
    struct MHD_Response *response =
        text->failed ? NULL : MHD_create_response_from_buffer(text->size, text->data, MHD_RESPMEM_MUST_COPY);
    text_done(text);
    return response;
}

enum MHD_Result respond_text(struct MHD_Connection *connection, unsigned status, const char *type,
                             const char *allow, struct text *text)
{
    return respond(connection, status, type, allow, response_of(text));
}

static enum MHD_Result tell(struct MHD_Connection *connection, const struct problem *problem,
                            const char *allow, bool last)
{
    struct text text = {0};
    problem_write(problem, &text);
    unsigned status = problem_status(problem);
    return respond_with(connection, status, TYPE_PROBLEM, allow,
                        retry_after_s(status, problem->retry_after_ms), last, response_of(&text));
}

enum MHD_Result respond_problem(struct MHD_Connection *connection, const struct problem *problem,
                                const char *allow)
{
    return tell(connection, problem, allow, false);
}

enum MHD_Result respond_last(struct MHD_Connection *connection, const struct problem *problem)
{
    return tell(connection, problem, NULL, true);
}

struct peer *connection_peer(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info && info->socket_context ? magic_of(info->socket_context, peer, PEER_MAGIC) : NULL;
}
