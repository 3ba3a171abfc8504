/* peer: whose a connection is, by the address that it came from. */
#ifndef SHUNT_BASE_PEER_H
#define SHUNT_BASE_PEER_H

#include "base/slice.h"

#define PEER_NETWORK_BYTES 64

/* Of `127.0.0.1:1234`, `[::1]:1234`, `unix:uid=0,pid=7`: without port and process; of an IPv6 address the first 64 bits, because
 * one machine has all of the others. Fills in bytes that are the same for the same network and for no other; returns how many. */
size_t peer_network(struct slice peer, char ret[PEER_NETWORK_BYTES]);

#endif
