/* url: where the broker is, `shunt://HOST[:PORT][,HOST[:PORT]]…`, or with TLS
 * `shunts://HOST[:PORT][,HOST[:PORT]]…[?ca=FILE][&cert=FILE&key=FILE]`, or on this machine `shunt+unix:///PATH`. Behind `?` may also
 * stand `user=NAME&password-file=FILE` or `token-file=FILE`, and `insecure=yes`. */
#ifndef SHUNT_CLIENT_DRIVING_URL_H
#define SHUNT_CLIENT_DRIVING_URL_H

#include "client/shunt.h"
#include "proto/limits.h"

#define URL_HOST_BYTES_MAX 255
#define URL_HOSTS_MAX      16
#define URL_FILE_BYTES_MAX 1023
#define URL_PATH_BYTES_MAX 107 /* of a Unix-domain socket, as the system takes it */
#define URL_TEXT_BYTES     (URL_HOST_BYTES_MAX + 16)

struct url {
    char host[URL_HOST_BYTES_MAX + 1]; /* without brackets; or the path of a Unix-domain socket */
    uint16_t port;                     /* 0: it is a path */
};

/* Files in PEM; empty: none was named. */
struct url_tls {
    bool wanted;
    char ca[URL_FILE_BYTES_MAX + 1];   /* the authorities that are trusted; none: those of the system */
    char cert[URL_FILE_BYTES_MAX + 1]; /* who we are, if the broker asks */
    char key[URL_FILE_BYTES_MAX + 1];
};

/* The user that we are, and where its secret is to be had; empty: it is not said. */
struct url_auth {
    char user[NAME_BYTES_MAX + 1];
    char password_file[URL_FILE_BYTES_MAX + 1];
    char token_file[URL_FILE_BYTES_MAX + 1];
    bool insecure; /* a secret may go to another machine without TLS */
};

struct url_list {
    size_t count; /* at least one */
    struct url_tls tls;
    struct url_auth auth;
    struct url hosts[URL_HOSTS_MAX];
};

/* Parse `text`; NULL is shunt://127.0.0.1:7480. A last `/` is taken, a path or a user before the host is not; ca=, cert= and
 * key= stand only with shunts://. In its values, and in the path of shunt+unix://, %XX stands for a byte. Files are not looked at.
 * fails: BAD_ARGUMENT, with the reason. */
int url_parse(const char *text, struct url_list *ret, struct shunt_error *err);

/* `HOST port PORT`, or the path, in `to` (URL_TEXT_BYTES); returns `to`. */
char *url_text(char *to, const struct url *url);
static inline bool url_is_local(const struct url *url)
{
    return url->port == 0;
}

#endif
