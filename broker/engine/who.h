/* who: whose requests a connection's are, as it was found at HELLO. */
#ifndef SHUNT_ENGINE_WHO_H
#define SHUNT_ENGINE_WHO_H

#include "proto/limits.h"

#include <stdint.h>

enum who_how {
    WHO_ANYBODY = 0, /* authentication is off: everything is allowed */
    WHO_LOCAL,       /* the local administrator, over the Unix-domain socket: everything is allowed */
    WHO_PASSWORD,
    WHO_TOKEN,
    WHO_CERTIFICATE
};

/* All zero is anybody. */
struct who {
    enum who_how how;
    char user[NAME_BYTES_MAX + 1]; /* empty: none, of WHO_ANYBODY and WHO_LOCAL */
    uint64_t id;                   /* struct user.id: a later one of that name is somebody else */
    uint64_t token;                /* its id, of WHO_TOKEN */
    int64_t expires_ms;            /* wall: when the token does; 0: never */
    uint64_t seen;                 /* ledger_identities() when it was last looked at */
};

/* The rights on the topic that was asked for last. */
struct gate_memo {
    uint64_t seen; /* ledger_identities() then; 0: nothing is kept */
    uint32_t rights;
    uint32_t size;
    char topic[TOPIC_BYTES_MAX];
};

#endif
