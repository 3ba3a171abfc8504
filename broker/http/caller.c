/* caller: see caller.h. */
#include "broker/http/caller.h"

#include "base/utf8.h"
#include "broker/http/peers.h"
#include "broker/http/respond.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

void caller_address(const struct sockaddr *address, char to[CALLER_PEER_BYTES])
{
    char text[INET6_ADDRSTRLEN] = "";
    (void)snprintf(to, CALLER_PEER_BYTES, "http");
    if (!address || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
        return;
    bool in6 = address->sa_family == AF_INET6;
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } name = {0};
    memcpy(&name, address, in6 ? sizeof name.in6 : sizeof name.in);
    const void *bytes = in6 ? (const void *)&name.in6.sin6_addr : (const void *)&name.in.sin_addr;
    unsigned port = ntohs(in6 ? name.in6.sin6_port : name.in.sin_port);
    if (inet_ntop(in6 ? AF_INET6 : AF_INET, bytes, text, sizeof text))
        (void)snprintf(to, CALLER_PEER_BYTES, in6 ? "[%s]:%u" : "%s:%u", text, port);
}

static void peer_text(struct MHD_Connection *connection, char to[CALLER_PEER_BYTES])
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    caller_address(info ? info->client_addr : NULL, to);
}

static void client_text(struct MHD_Connection *connection, char to[CLIENT_NAME_BYTES_MAX + 1])
{
    const char *agent = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_USER_AGENT);
    (void)snprintf(to, CLIENT_NAME_BYTES_MAX + 1, "http%s%s", agent && *agent ? " " : "",
                   agent ? agent : ""); /* may be cut */
    utf8_clean(to, to, strlen(to));
    utf8_flatten(to, strlen(to));
}

void caller_of(struct MHD_Connection *connection, struct caller *ret)
{
    const char *shown =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    const struct peer *peer = connection_peer(connection);
    ret->watches = false;
    /* A header that says nothing is no way back to the certificate. */
    ret->names = peer && !shown ? peer->names : NULL;
    peer_text(connection, ret->peer);
    client_text(connection, ret->client);
    login_header_read(shown, ret->names, &ret->login);
}

void caller_done(struct caller *c)
{
    login_header_done(&c->login);
}
