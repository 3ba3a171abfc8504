/* source: where attempts come from, and for whom they are, as numbers. They are keyed, so that nobody can choose names or addresses
 * that share a place in a table. */
#ifndef SHUNT_LOGIN_SOURCE_H
#define SHUNT_LOGIN_SOURCE_H

#include "base/slice.h"
#include <stdint.h>

#define SOURCE_KEY_BYTES 32

/* Of the network that it comes from (base/peer.h). */
uint64_t source_of_peer(const uint8_t key[SOURCE_KEY_BYTES], struct slice peer);
uint64_t source_of_name(const uint8_t key[SOURCE_KEY_BYTES], struct slice name);

#endif
