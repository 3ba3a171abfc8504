/* source: addresses and names, hashed. */
#include "broker/login/source.h"

#include "base/big_endian.h"
#include "base/check.h"
#include "base/peer.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

static uint64_t hash(const uint8_t key[SOURCE_KEY_BYTES], char kind, struct slice what)
{
    uint8_t text[1 + 1024], digest[32];
    unsigned size = 0;
    size_t used = what.size < sizeof text - 1 ? what.size : sizeof text - 1;
    text[0] = (uint8_t)kind;
    if (used)
        memcpy(text + 1, what.data, used);
    check(HMAC(EVP_sha256(), key, SOURCE_KEY_BYTES, text, 1 + used, digest, &size) && size == sizeof digest);
    return get_be64(digest);
}

uint64_t source_of_peer(const uint8_t key[SOURCE_KEY_BYTES], struct slice peer)
{
    char network[PEER_NETWORK_BYTES];
    size_t size = peer_network(peer, network);
    return hash(key, 'p', (struct slice){network, size});
}

uint64_t source_of_name(const uint8_t key[SOURCE_KEY_BYTES], struct slice name)
{
    return hash(key, 'n', name);
}
