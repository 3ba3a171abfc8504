/* fuzz_tls: any bytes to the server's end of TLS, in the place of a handshake, behind one, or as one byte changed in a good one. Whatever
 * comes, not one plain byte may come out that no honest client has sent. The first byte says which, the second how the bytes are torn. */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/tls/certs.h"
#include "tls/stream.h"
#include <string.h>

#define ROOM_BYTES 512

enum aim { AIM_BEGINNING, AIM_BEHIND, AIM_CHANGED, AIMS };

static struct tls_context *context(struct certs *ret)
{
    static struct certs certs;
    static struct tls_context *made;
    if (!made) {
        certs_make(&certs);
        made = server_context(&certs, &certs.server, TLS_CLIENT_AUTH_REQUEST, 12);
    }
    *ret = certs;
    return made;
}

/* The client's trust is read from a file; the rest of the directory is not needed any more. */
static SSL *client(const struct certs *certs)
{
    static SSL_CTX *ctx;
    char why[TLS_WHY_BYTES];
    if (!ctx) {
        struct certs gone = *certs;
        ctx = SSL_CTX_new(TLS_client_method());
        MUST(ctx && tls_read_authorities(ctx, certs->ca.cert, why, sizeof why) == 0);
        certs_remove(&gone);
    }
    SSL *ssl = SSL_new(ctx);
    MUST(ssl);
    SSL_set_connect_state(ssl);
    return ssl;
}

/* Feed all of it in pieces; returns how many plain bytes came of it. */
static size_t feed(struct tls_stream *s, const uint8_t *bytes, size_t size, size_t piece)
{
    uint8_t to[ROOM_BYTES];
    size_t plain = 0, got;
    while (size > 0 && (s->state == TLS_HANDSHAKE || s->state == TLS_OPEN)) {
        size_t part = piece && piece < size ? piece : size;
        tls_stream_feed(s, bytes, part);
        while ((got = tls_stream_read(s, to, sizeof to)) > 0)
            plain += got;
        MUST(s->state == TLS_FAILED ? s->why[0] != '\0' : s->why[0] == '\0');
        MUST((s->state != TLS_HANDSHAKE && s->state != TLS_OPEN) || tls_stream_left(s) == 0);
        MUST(s->handshake_bytes <= TLS_HANDSHAKE_BYTES_MAX + part);
        tls_stream_drop(s);
        bytes += part;
        size -= part;
    }
    return plain;
}

/* What `from` has to say; `*changed`: the byte there is changed once. */
static size_t carry(struct tls_stream *from, struct tls_stream *to, size_t piece, size_t *changed)
{
    struct slice out = tls_stream_out(from);
    size_t plain = 0;
    uint8_t *copy = malloc(out.size + 1);
    MUST(copy);
    slice_copy(copy, out);
    if (changed && *changed < out.size)
        copy[*changed] ^= 1;
    if (changed)
        *changed = *changed < out.size ? SIZE_MAX : *changed - out.size;
    plain = feed(to, copy, out.size, piece);
    free(copy);
    tls_stream_sent(from, out.size);
    return plain;
}

static size_t shake(struct tls_stream *server, struct tls_stream *caller, size_t piece, size_t changed)
{
    size_t plain = 0;
    (void)tls_stream_read(caller, NULL, 0);
    while (tls_stream_out(caller).size > 0 || tls_stream_out(server).size > 0) {
        plain += carry(caller, server, piece, &changed);
        plain += carry(server, caller, 0, NULL);
    }
    return plain;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    struct certs certs;
    struct tls_stream server = {0}, caller = {0};
    MUST(tls_stream_begin(&server, tls_context_accept(context(&certs))));
    MUST(tls_stream_begin(&caller, client(&certs)));
    enum aim aim = (enum aim)(data[0] % AIMS);
    size_t plain = 0, piece = data[1];
    if (aim == AIM_CHANGED)
        plain = shake(&server, &caller, piece, data[2] * 256u + data[3]);
    else if (aim == AIM_BEHIND)
        plain = shake(&server, &caller, 0, SIZE_MAX);
    MUST(aim != AIM_BEHIND || server.state == TLS_OPEN);
    if (aim != AIM_CHANGED)
        plain += feed(&server, data + 2, size - 2, piece);
    MUST(plain == 0);
    tls_stream_done(&server);
    tls_stream_done(&caller);
    return 0;
}
