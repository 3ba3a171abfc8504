/* stream: OpenSSL between two pieces of memory. */
#include "tls/stream.h"

#include "base/magic.h"
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#define OUT_BYTES_MIN     1024u
#define RECORD_BYTES_MORE 64u /* what a record is longer than its plain bytes, at most */
#define TLS_STREAM_MAGIC  0x746c7331u

static int on_read(BIO *bio, char *to, size_t size, size_t *ret);
static int on_write(BIO *bio, const char *bytes, size_t size, size_t *ret);
static long on_control(BIO *bio, int command, long number, void *argument);
static void on_message(int written, int version, int type, const void *bytes, size_t size, SSL *ssl,
                       void *context);
static void failed(struct tls_stream *s, const char *why);
static bool shake(struct tls_stream *s);

/* ---- OpenSSL's view: a socket that is read from `in` and written to `out` ---- */

static CRYPTO_ONCE method_once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *method; /* the same for all streams of the process, and never changed */

static void method_make(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "shunt stream");
    if (m && BIO_meth_set_read_ex(m, on_read) == 1 && BIO_meth_set_write_ex(m, on_write) == 1 &&
        BIO_meth_set_ctrl(m, on_control) == 1)
        method = m;
    else
        BIO_meth_free(m);
}

static int on_read(BIO *bio, char *to, size_t size, size_t *ret)
{
    struct tls_stream *s = magic_of(BIO_get_data(bio), tls_stream, TLS_STREAM_MAGIC);
    BIO_clear_retry_flags(bio);
    size_t part = size < s->in.size ? size : s->in.size;
    s->asked = size;
    if (part == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(to, s->in.data, part);
    s->in.data = (const uint8_t *)s->in.data + part;
    s->in.size -= part;
    *ret = part;
    return 1;
}

/* For `size` more bytes, and not much more: what is sent at a time should stay below the sizes for which the allocator asks
 * the kernel. */
static bool make_room(struct tls_stream *s, size_t size)
{
    size_t wanted = s->out_size + size, capacity = s->out_capacity + s->out_capacity / 2;
    if (wanted <= s->out_capacity)
        return true;
    if (capacity < wanted)
        capacity = wanted < OUT_BYTES_MIN ? OUT_BYTES_MIN : wanted;
    uint8_t *out = realloc(s->out, capacity);
    if (!out)
        return false;
    s->out = out;
    s->out_capacity = capacity;
    return true;
}

static int on_write(BIO *bio, const char *bytes, size_t size, size_t *ret)
{
    struct tls_stream *s = magic_of(BIO_get_data(bio), tls_stream, TLS_STREAM_MAGIC);
    BIO_clear_retry_flags(bio);
    if (!make_room(s, size)) {
        s->no_memory = true;
        return 0;
    }
    memcpy(s->out + s->out_size, bytes, size);
    s->out_size += size;
    *ret = size;
    return 1;
}

static long on_control(BIO *bio, int command, long number, void *argument)
{
    (void)bio;
    (void)number;
    (void)argument;
    return command == BIO_CTRL_FLUSH; /* written is written; of the rest we know nothing */
}

/* Every message of a handshake, also of later ones. */
static void on_message(int written, int version, int type, const void *bytes, size_t size, SSL *ssl,
                       void *context)
{
    struct tls_stream *s = magic_of(context, tls_stream, TLS_STREAM_MAGIC);
    (void)version;
    (void)ssl;
    if (!written && type == SSL3_RT_HANDSHAKE && size > 0 && *(const uint8_t *)bytes == SSL3_MT_KEY_UPDATE)
        s->key_updates++;
}

/* ---- its life ---- */

bool tls_stream_begin(struct tls_stream *s, SSL *ssl)
{
    check(s->state == TLS_SILENT && !s->ssl);
    bool can = ssl && CRYPTO_THREAD_run_once(&method_once, method_make) == 1 && method;
    BIO *bio = can ? BIO_new(method) : NULL;
    if (!bio) {
        SSL_free(ssl);
        ERR_clear_error();
        return false;
    }
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio); /* takes it */
    (void)SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_set_msg_callback(ssl, on_message);
    SSL_set_msg_callback_arg(ssl, s);
    s->magic = TLS_STREAM_MAGIC;
    s->ssl = ssl;
    s->state = TLS_HANDSHAKE;
    return true;
}

void tls_stream_done(struct tls_stream *s)
{
    SSL_free(s->ssl);
    free(s->kept);
    free(s->out);
    *s = (struct tls_stream){.state = TLS_FAILED};
}

static void failed(struct tls_stream *s, const char *why)
{
    if (why) {
        (void)snprintf(s->why, sizeof s->why, "%s", why);
        ERR_clear_error();
    } else {
        tls_reason(s->ssl, s->why, sizeof s->why);
    }
    s->state = TLS_FAILED;
    tls_stream_drop(s);
}

/* ---- in ---- */

void tls_stream_feed(struct tls_stream *s, const void *bytes, size_t size)
{
    check(s->ssl && s->in.size == 0 && !s->kept);
    s->in = (struct slice){bytes, size};
}

/* What a call of OpenSSL that did not succeed means. */
static void look(struct tls_stream *s, int result)
{
    int error = SSL_get_error(s->ssl, result);
    if (error == SSL_ERROR_WANT_READ)
        return;
    if (error == SSL_ERROR_ZERO_RETURN && s->state == TLS_OPEN)
        s->state = TLS_ENDED;
    else
        failed(s, s->no_memory ? "no memory for what is to be sent" : NULL);
}

/* Go on with the handshake. True: it is done. */
static bool shake(struct tls_stream *s)
{
    size_t before = s->in.size;
    ERR_clear_error();
    int result = SSL_do_handshake(s->ssl);
    s->handshake_bytes += before - s->in.size;
    if (result == 1)
        s->state = TLS_OPEN;
    else
        look(s, result);
    if (s->state == TLS_HANDSHAKE && s->handshake_bytes > TLS_HANDSHAKE_BYTES_MAX)
        failed(s, "the handshake is longer than 64 KiB");
    return s->state == TLS_OPEN;
}
_Static_assert(TLS_HANDSHAKE_BYTES_MAX == 64 * 1024, "shake() says the limit in words");

size_t tls_stream_read(struct tls_stream *s, void *to, size_t room)
{
    size_t size = 0;
    if (s->state == TLS_HANDSHAKE && !shake(s))
        return 0;
    while (s->state == TLS_OPEN && size < room) {
        size_t got = 0;
        ERR_clear_error();
        int result = SSL_read_ex(s->ssl, (uint8_t *)to + size, room - size, &got);
        size += got;
        if (s->key_updates > TLS_KEY_UPDATES_MAX)
            failed(s, "the peer asks for new keys again and again");
        else if (result != 1)
            look(s, result);
        if (result != 1)
            break;
    }
    return size;
}

bool tls_stream_keep(struct tls_stream *s)
{
    if (s->in.size == 0) {
        tls_stream_drop(s);
        return true;
    }
    if (s->kept)
        return true;
    s->kept = malloc(s->in.size);
    if (!s->kept)
        return false;
    memcpy(s->kept, s->in.data, s->in.size);
    s->in.data = s->kept;
    return true;
}

void tls_stream_drop(struct tls_stream *s)
{
    free(s->kept);
    s->kept = NULL;
    s->in = (struct slice){NULL, 0};
}

bool tls_stream_has_more(const struct tls_stream *s)
{
    return s->in.size > 0 || (s->state == TLS_OPEN && SSL_pending(s->ssl) > 0);
}

bool tls_stream_is_partial(const struct tls_stream *s)
{
    return s->state == TLS_OPEN &&
           (s->asked != SSL3_RT_HEADER_LENGTH || strcmp(SSL_rstate_string(s->ssl), "RB") == 0);
}

/* ---- out ---- */

bool tls_stream_write(struct tls_stream *s, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    check(tls_stream_may_write(s));
    (void)make_room(s,
                    size + (size / TLS_RECORD_BYTES_MAX + 1) * RECORD_BYTES_MORE); /* else piece by piece */
    while (size > 0) {
        size_t part = size < TLS_RECORD_BYTES_MAX ? size : TLS_RECORD_BYTES_MAX, done = 0;
        ERR_clear_error();
        if (SSL_write_ex(s->ssl, at, part, &done) != 1) {
            failed(s, s->no_memory ? "no memory for what is to be sent" : NULL);
            return false;
        }
        at += done;
        size -= done;
    }
    return true;
}

void tls_stream_end(struct tls_stream *s)
{
    if (!tls_stream_may_write(s))
        return;
    ERR_clear_error();
    (void)SSL_shutdown(s->ssl); /* what it writes is all that counts */
    ERR_clear_error();
}

bool tls_stream_sent(struct tls_stream *s, size_t size)
{
    check(size <= s->out_size - s->out_sent);
    s->out_sent += size;
    if (s->out_sent < s->out_size)
        return false;
    free(tls_stream_give(s));
    return true;
}

uint8_t *tls_stream_give(struct tls_stream *s)
{
    uint8_t *out = s->out;
    s->out = NULL;
    s->out_size = s->out_sent = s->out_capacity = 0;
    return out;
}
