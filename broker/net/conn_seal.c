/* conn_seal: what goes to a socket when its peer speaks TLS. Bytes of the writer count as unsent until the
 * socket has taken them in their encrypted form; so at most NET_SEALED_BYTES of it exist twice. */
#include "broker/net/conn.h"

#include <stdlib.h>

/* Encrypted at a time: four records. */
#define NET_SEALED_BYTES (4 * TLS_RECORD_BYTES_MAX)

/* Encrypt the beginning of what waits. */
static void seal(struct conn *c)
{
    struct iovec iov[WRITER_BUFFERS_MAX];
    unsigned count = writer_gather(&c->writer, iov, WRITER_BUFFERS_MAX);
    for (unsigned i = 0; i < count && c->sealed < NET_SEALED_BYTES; i++) {
        size_t left = NET_SEALED_BYTES - c->sealed;
        size_t size = iov[i].iov_len < left ? iov[i].iov_len : left;
        if (!tls_stream_write(c->tls, iov[i].iov_base, size))
            return; /* without memory, as who flushes sees */
        c->sealed += size;
    }
}

unsigned conn_seal(struct conn *c, struct iovec *to)
{
    struct slice out = tls_stream_out(c->tls);
    if (out.size == 0 && tls_stream_may_write(c->tls)) {
        seal(c);
        out = tls_stream_out(c->tls);
    }
    if (out.size == 0)
        return 0;
    *to = (struct iovec){(void *)(uintptr_t)out.data, out.size};
    return 1;
}

size_t conn_seal_wrote(struct conn *c, size_t size)
{
    if (!tls_stream_sent(c->tls, size))
        return 0;
    size_t sealed = c->sealed;
    c->sealed = 0;
    return sealed;
}

void conn_seal_lend(struct conn *c)
{
    if (writer_is_empty(&c->writer))
        c->write_since_ms = net_now_ms(c->net);
    c->sending = tls_stream_give(c->tls);
    c->write_size = c->sealed;
    c->sealed = 0;
}

bool conn_seal_end(struct conn *c)
{
    if (!writer_is_empty(&c->writer))
        return false;
    tls_stream_end(c->tls);
    return tls_stream_out(c->tls).size > 0;
}
