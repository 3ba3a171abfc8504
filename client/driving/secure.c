/* secure: see secure.h. OpenSSL never touches the socket: its writes could raise SIGPIPE in somebody else's program,
 * and what it had begun to write would have to be written again just so. */
#include "client/driving/secure.h"

#include "client/wire/error.h"
#include "tls/files.h"
#include "tls/stream.h"
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>

#define INPUT_BYTES (32u * 1024)
/* Encrypted at a time; what the socket does not take of that waits here. */
#define OUTPUT_BYTES (4 * TLS_RECORD_BYTES_MAX)

struct secure {
    struct tls_stream stream;
    uint8_t record[TLS_RECORD_BYTES_MAX]; /* where pieces are put together */
    uint8_t input[INPUT_BYTES];
};

/* ---- its life ---- */

static int no_memory(struct shunt_error *err)
{
    ERR_clear_error();
    return error_set(err, SHUNT_NO_MEMORY, NULL);
}

static int read_files(SSL_CTX *ctx, const struct url_tls *tls, struct shunt_error *err)
{
    char why[TLS_WHY_BYTES] = "";
    int rc = tls->ca[0] ? tls_read_authorities(ctx, tls->ca, why, sizeof why) : 0;
    if (rc == 0 && tls->cert[0])
        rc = tls_read_own(ctx, tls->cert, tls->key, why, sizeof why);
    return rc == 0 ? 0 : error_set(err, rc, "%s", why);
}

static int context_new(const struct url_tls *tls, SSL_CTX **ret, struct shunt_error *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return no_memory(err);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    bool set = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
               SSL_CTX_set_cipher_list(ctx, TLS_CIPHERS_12) == 1 &&
               (tls->ca[0] || SSL_CTX_set_default_verify_paths(ctx) == 1);
    int rc = set ? read_files(ctx, tls, err) : no_memory(err);
    if (rc == 0)
        *ret = ctx;
    else
        SSL_CTX_free(ctx);
    return rc;
}

int secure_check(const struct url_tls *tls, struct shunt_error *err)
{
    SSL_CTX *ctx = NULL;
    int rc = context_new(tls, &ctx, err);
    if (rc == 0)
        SSL_CTX_free(ctx);
    return rc;
}

/* Whom the certificate must name: an address, or a name, which the broker is told as well. */
static bool set_host(SSL *ssl, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    char plain[URL_HOST_BYTES_MAX + 1];
    size_t size = strcspn(host, "%"); /* a zone may follow an address */
    memcpy(plain, host, size);
    plain[size] = '\0';
    if (inet_pton(AF_INET, plain, address) == 1 || inet_pton(AF_INET6, plain, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), plain) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, plain) == 1 && SSL_set_tlsext_host_name(ssl, plain) == 1;
}

int secure_new(const struct url_tls *tls, const char *host, struct secure **ret, struct shunt_error *err)
{
    SSL_CTX *ctx = NULL;
    int rc = context_new(tls, &ctx, err);
    if (rc != 0)
        return rc;
    struct secure *t = calloc(1, sizeof *t);
    SSL *ssl = t ? SSL_new(ctx) : NULL;
    SSL_CTX_free(ctx); /* the connection holds it */
    if (!ssl || !set_host(ssl, host)) {
        SSL_free(ssl);
        free(t);
        return no_memory(err);
    }
    SSL_set_connect_state(ssl);
    if (!tls_stream_begin(&t->stream, ssl)) {
        secure_free(t);
        return no_memory(err);
    }
    *ret = t;
    return 0;
}

void secure_free(struct secure *t)
{
    if (!t)
        return;
    tls_stream_done(&t->stream);
    free(t);
}

/* ---- bytes ---- */

static enum secure_got broken(struct shunt_error *err, const char *why)
{
    error_set(err, SHUNT_UNREACHABLE, "%s", why);
    return SECURE_BROKEN;
}

bool secure_has_output(const struct secure *t)
{
    return tls_stream_out(&t->stream).size > 0;
}

bool secure_has_input(const struct secure *t)
{
    return tls_stream_has_more(&t->stream);
}

enum secure_got secure_flush(struct secure *t, int fd, struct shunt_error *err)
{
    while (secure_has_output(t)) {
        struct slice out = tls_stream_out(&t->stream);
        ssize_t sent = send(fd, out.data, out.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            return SECURE_LATER;
        if (sent < 0)
            return broken(err, strerror(errno));
        (void)tls_stream_sent(&t->stream, (size_t)sent); /* the loop looks itself */
    }
    return SECURE_DONE;
}

/* More of the socket; nothing may be left of what came before. */
static enum secure_got receive(struct secure *t, int fd, struct shunt_error *err)
{
    ssize_t got;
    do
        got = recv(fd, t->input, sizeof t->input, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN)
        return SECURE_LATER;
    if (got < 0)
        return broken(err, strerror(errno));
    if (got == 0 && t->stream.state == TLS_HANDSHAKE)
        return broken(err, "it closed the connection during the handshake of TLS");
    if (got == 0)
        return broken(err, "the connection was cut off: it ended before TLS did");
    tls_stream_feed(&t->stream, t->input, (size_t)got);
    return SECURE_DONE;
}

/* Whatever else happens, an alert that says why should get out. */
static enum secure_got failed(struct secure *t, int fd, struct shunt_error *err)
{
    (void)secure_flush(t, fd, err); /* what went wrong first is what counts */
    return broken(err, t->stream.why);
}

enum secure_got secure_shake(struct secure *t, int fd, struct shunt_error *err)
{
    for (;;) {
        (void)tls_stream_read(&t->stream, NULL, 0); /* no room is given, so nothing is read */
        if (t->stream.state == TLS_FAILED)
            return failed(t, fd, err);
        enum secure_got got = secure_flush(t, fd, err);
        if (got != SECURE_DONE || t->stream.state != TLS_HANDSHAKE)
            return got;
        got = receive(t, fd, err);
        if (got != SECURE_DONE)
            return got;
    }
}

enum secure_got secure_read(struct secure *t, int fd, void *to, size_t size, size_t *ret,
                            struct shunt_error *err)
{
    for (bool fresh = false;; fresh = true) {
        size_t got = tls_stream_read(&t->stream, to, size);
        if (got > 0) {
            *ret = got;
            return SECURE_DONE;
        }
        if (t->stream.state == TLS_FAILED)
            return failed(t, fd, err);
        if (t->stream.state == TLS_ENDED)
            return SECURE_ENDED;
        enum secure_got more = fresh ? SECURE_LATER : receive(t, fd, err);
        if (more != SECURE_DONE)
            return more;
    }
}

/* Encrypt as much as may wait, in whole records but for the last. */
static enum secure_got seal(struct secure *t, const struct iovec *pieces, int count, size_t *ret)
{
    size_t taken = 0, filled = 0;
    for (int i = 0; i < count && taken < OUTPUT_BYTES; i++) {
        const uint8_t *at = pieces[i].iov_base, *end = at + pieces[i].iov_len;
        while (at < end && taken < OUTPUT_BYTES) {
            size_t left = (size_t)(end - at), room = sizeof t->record - filled;
            size_t part = left < room ? left : room;
            bool whole = filled == 0 && part == room; /* it need not be copied */
            if (!whole)
                memcpy(t->record + filled, at, part);
            filled += part;
            if (filled == sizeof t->record) {
                if (!tls_stream_write(&t->stream, whole ? at : t->record, filled))
                    return SECURE_BROKEN;
                filled = 0;
            }
            at += part;
            taken += part;
        }
    }
    *ret = taken;
    return filled == 0 || tls_stream_write(&t->stream, t->record, filled) ? SECURE_DONE : SECURE_BROKEN;
}
_Static_assert(OUTPUT_BYTES % TLS_RECORD_BYTES_MAX == 0, "seal() takes whole records up to it");

enum secure_got secure_write(struct secure *t, int fd, const struct iovec *pieces, int count, size_t *ret,
                             struct shunt_error *err)
{
    *ret = 0;
    enum secure_got got = secure_flush(t, fd, err);
    if (got != SECURE_DONE)
        return got;
    if (!tls_stream_may_write(&t->stream))
        return broken(err, "TLS has ended");
    if (seal(t, pieces, count, ret) != SECURE_DONE)
        return failed(t, fd, err);
    got = secure_flush(t, fd, err);
    return got == SECURE_BROKEN ? got : SECURE_DONE;
}

void secure_end(struct secure *t, int fd)
{
    struct shunt_error ignored;
    tls_stream_end(&t->stream);
    (void)secure_flush(t, fd, &ignored); /* as far as it goes: the connection ends */
}
