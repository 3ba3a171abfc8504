/* sha256: SHA-256 of some bytes. */
#ifndef SHUNT_TLS_SHA256_H
#define SHUNT_TLS_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32

/* False without memory. */
bool sha256(const void *bytes, size_t size, uint8_t ret[SHA256_BYTES]);

#endif
