/* port_stub: the engine's chunks and links, for tests of net alone. */
#ifndef SHUNT_TESTS_NET_PORT_STUB_H
#define SHUNT_TESTS_NET_PORT_STUB_H

#include "broker/engine/port.h"

extern int chunks_alive, links_alive;

#endif
