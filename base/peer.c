/* peer: see peer.h. */
#include "base/peer.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

/* What an entry begins with, so that the bytes of a network are no address in words. */
#define KIND_NETWORK '6'
#define KIND_ADDRESS 'a'

/* The first 64 bits of `[ADDRESS]:PORT`. */
static bool network_of(const char *peer, void *ret)
{
    char address[PEER_NETWORK_BYTES];
    struct in6_addr in6;
    if (peer[0] != '[')
        return false;
    memcpy(address, peer + 1, strlen(peer));
    address[strcspn(address, "]%")] = '\0';
    if (inet_pton(AF_INET6, address, &in6) != 1 || IN6_IS_ADDR_V4MAPPED(&in6))
        return false; /* one that holds an IPv4 address counts by all of it */
    memcpy(ret, in6.s6_addr, 8);
    return true;
}

size_t peer_network(struct slice peer, char ret[PEER_NETWORK_BYTES])
{
    char text[PEER_NETWORK_BYTES] = "";
    size_t size = peer.size < sizeof text - 1 ? peer.size : sizeof text - 1;
    if (size)
        memcpy(text, peer.data, size);
    if (network_of(text, ret + 1)) {
        ret[0] = KIND_NETWORK;
        return 1 + 8;
    }
    char *end = strncmp(text, "unix:", 5) == 0 ? strchr(text, ',') : strrchr(text, ':');
    if (end)
        *end = '\0';
    size = strlen(text) < PEER_NETWORK_BYTES - 1 ? strlen(text) : PEER_NETWORK_BYTES - 1;
    ret[0] = KIND_ADDRESS;
    memcpy(ret + 1, text, size);
    return 1 + size;
}
