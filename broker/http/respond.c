/* respond: see respond.h. */
#include "broker/http/respond.h"

#include "base/magic.h"
#include "broker/http/peers.h"

enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *type,
                        const char *allow, struct MHD_Response *response)
{
    enum MHD_Result ok = MHD_YES;
    if (!response)
        return MHD_NO;
    if (type)
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (ok == MHD_YES)
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (ok == MHD_YES) /* what a message says must not run as a page */
        ok = MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (ok == MHD_YES && allow)
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    if (ok == MHD_YES && status == MHD_HTTP_SERVICE_UNAVAILABLE)
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    if (ok == MHD_YES)
        ok = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return ok;
}

enum MHD_Result respond_text(struct MHD_Connection *connection, unsigned status, const char *type,
                             const char *allow, struct text *text)
{
    struct MHD_Response *response =
        text->failed ? NULL : MHD_create_response_from_buffer(text->size, text->data, MHD_RESPMEM_MUST_COPY);
    text_done(text);
    return respond(connection, status, type, allow, response);
}

enum MHD_Result respond_problem(struct MHD_Connection *connection, const struct problem *problem,
                                const char *allow)
{
    struct text text = {0};
    problem_write(problem, &text);
    return respond_text(connection, problem_status(problem), TYPE_PROBLEM, allow, &text);
}

struct peer *connection_peer(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info && info->socket_context ? magic_of(info->socket_context, peer, PEER_MAGIC) : NULL;
}
