/* caller: see caller.h. */
#include "broker/http/caller.h"

#include "base/utf8.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static void peer_text(struct MHD_Connection *connection, char to[CALLER_PEER_BYTES])
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char address[INET6_ADDRSTRLEN] = "";
    (void)snprintf(to, CALLER_PEER_BYTES, "http");
    if (!info || !info->client_addr)
        return;
    bool in6 = info->client_addr->sa_family == AF_INET6;
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } name = {0};
    memcpy(&name, info->client_addr, in6 ? sizeof name.in6 : sizeof name.in);
    const void *bytes = in6 ? (const void *)&name.in6.sin6_addr : (const void *)&name.in.sin_addr;
    unsigned port = ntohs(in6 ? name.in6.sin6_port : name.in.sin_port);
    if (inet_ntop(in6 ? AF_INET6 : AF_INET, bytes, address, sizeof address))
        (void)snprintf(to, CALLER_PEER_BYTES, in6 ? "[%s]:%u" : "%s:%u", address, port);
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
    peer_text(connection, ret->peer);
    client_text(connection, ret->client);
}
