/* url: where the broker is, `shunt://HOST[:PORT][,HOST[:PORT]]…`. */
#ifndef SHUNT_CLIENT_DRIVING_URL_H
#define SHUNT_CLIENT_DRIVING_URL_H

#include "client/shunt.h"

#define URL_HOST_BYTES_MAX 255
#define URL_HOSTS_MAX      16

struct url {
    char host[URL_HOST_BYTES_MAX + 1]; /* without brackets */
    uint16_t port;
};

struct url_list {
    size_t count; /* at least one */
    struct url hosts[URL_HOSTS_MAX];
};

/* Parse `text`; NULL is shunt://127.0.0.1:7480. A last `/` is taken, a path, query or user is not.
 * fails: BAD_ARGUMENT, with the reason. */
int url_parse(const char *text, struct url_list *ret, struct shunt_error *err);

#endif
