/* sha256: see sha256.h. */
#include "tls/sha256.h"

#include <openssl/evp.h>

bool sha256(const void *bytes, size_t size, uint8_t ret[SHA256_BYTES])
{
    return EVP_Digest(bytes, size, ret, NULL, EVP_sha256(), NULL) == 1;
}
