/* identity: what this program says of itself in HELLO, when its user does not. */
#ifndef SHUNT_CLIENT_DRIVING_IDENTITY_H
#define SHUNT_CLIENT_DRIVING_IDENTITY_H

#include "proto/limits.h"

/* Each writes a terminated text, cut to CLIENT_NAME_BYTES_MAX; empty if there is none. */
void identity_client(char to[CLIENT_NAME_BYTES_MAX + 1]); /* "program-1234" */
void identity_host(char to[CLIENT_NAME_BYTES_MAX + 1]);
void identity_build(char to[CLIENT_NAME_BYTES_MAX + 1]); /* the program's GNU build id in hex */

#endif
