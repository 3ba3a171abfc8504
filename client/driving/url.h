/* url: where the broker is, `shunt://HOST[:PORT][,HOST[:PORT]]…`, or with TLS
 * `shunts://HOST[:PORT][,HOST[:PORT]]…[?ca=FILE][&cert=FILE&key=FILE]`. */
#ifndef SHUNT_CLIENT_DRIVING_URL_H
#define SHUNT_CLIENT_DRIVING_URL_H

#include "client/shunt.h"

#define URL_HOST_BYTES_MAX 255
#define URL_HOSTS_MAX      16
#define URL_FILE_BYTES_MAX 1023

struct url {
    char host[URL_HOST_BYTES_MAX + 1]; /* without brackets */
    uint16_t port;
};

/* Files in PEM; empty: none was named. */
struct url_tls {
    bool wanted;
    char ca[URL_FILE_BYTES_MAX + 1];   /* the authorities that are trusted; none: those of the system */
    char cert[URL_FILE_BYTES_MAX + 1]; /* who we are, if the broker asks */
    char key[URL_FILE_BYTES_MAX + 1];
};

struct url_list {
    size_t count; /* at least one */
    struct url_tls tls;
    struct url hosts[URL_HOSTS_MAX];
};

/* Parse `text`; NULL is shunt://127.0.0.1:7480. A last `/` is taken, a path or a user is not, and a query only
 * with shunts://. In its values %XX stands for a byte. Files are not looked at.
 * fails: BAD_ARGUMENT, with the reason. */
int url_parse(const char *text, struct url_list *ret, struct shunt_error *err);

#endif
