/* tls_caller: see tls_caller.h. */
#include "tests/unit/net/tls_caller.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define GOT_BYTES (8u << 20)

void caller_call(struct fixture *f, const struct certs *certs, struct caller *c)
{
    *c = (struct caller){.fd = client_connect(f), .got = malloc(GOT_BYTES)};
    cr_assert(c->got);
    cr_assert(tls_stream_begin(&c->tls, client_end(certs, NULL, 13)));
    (void)tls_stream_read(&c->tls, NULL, 0); /* ClientHello is there now */
}

void caller_greet(struct fixture *f, const struct certs *certs, struct caller *c)
{
    struct mpack_buffer b = {0};
    unsigned before = f->posts;
    caller_call(f, certs, c);
    step_until(f, c, c->tls.state == TLS_OPEN);
    write_hello(&b, 1);
    caller_say(c, &b);
    step_until(f, c, f->posts > before);
    mpack_buffer_done(&b);
}

void caller_say(struct caller *c, const struct mpack_buffer *b)
{
    cr_assert(tls_stream_write(&c->tls, b->data, b->size), "%s", c->tls.why);
}

void caller_step(struct fixture *f, struct caller *c)
{
    struct slice out = tls_stream_out(&c->tls);
    ssize_t n = out.size ? send(c->fd, out.data, out.size, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    if (n > 0)
        tls_stream_sent(&c->tls, (size_t)n);
    uint8_t bytes[16384];
    n = c->deaf ? -1 : recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    c->ended |= n == 0 || (n < 0 && !c->deaf && errno != EAGAIN);
    if (n > 0 && c->tls.state != TLS_FAILED) {
        tls_stream_feed(&c->tls, bytes, (size_t)n);
        c->size += tls_stream_read(&c->tls, c->got + c->size, GOT_BYTES - c->size);
        tls_stream_drop(&c->tls);
    }
    (void)uv_run(&f->loop, UV_RUN_NOWAIT);
}

void caller_hang_up(struct caller *c)
{
    close(c->fd);
    tls_stream_done(&c->tls);
    free(c->got);
}
