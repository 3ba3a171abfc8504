/* pump_rig: see pump_rig.h. */
#include "tests/unit/http/pump_rig.h"

#include "base/magic.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* Within which whatever a test waits for must have come. */
#define WAIT_S 30

static bool let_in(void *context, int fd, const struct sockaddr *from, socklen_t from_bytes, char *names)
{
    struct rig *r = context;
    const struct timeval most = {.tv_sec = WAIT_S};
    (void)pthread_mutex_lock(&r->lock);
    r->at_gate++;
    (void)pthread_cond_broadcast(&r->changed);
    while (r->gate)
        (void)pthread_cond_wait(&r->changed, &r->lock);
    bool in = !r->full && from->sa_family == AF_INET && from_bytes == sizeof(struct sockaddr_in) &&
              r->served_count < RIG_SERVED_MAX;
    if (in) {
        (void)fcntl(fd, F_SETFL, 0); /* it blocks from now on */
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
        r->served[r->served_count++] = fd;
        (void)snprintf(r->name, sizeof r->name, "%s", names ? names : "");
        free(names);
        (void)pthread_cond_broadcast(&r->changed);
    }
    (void)pthread_mutex_unlock(&r->lock);
    return in;
}

static void on_report(void *context, enum http_event event, const char *peer, const char *why)
{
    struct rig *r = context;
    (void)pthread_mutex_lock(&r->lock);
    r->events[event]++;
    (void)snprintf(r->peer, sizeof r->peer, "%s", peer);
    (void)snprintf(r->why, sizeof r->why, "%s", why);
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

void rig_start(struct rig *r, enum tls_client_auth auth, unsigned handshakes, int64_t handshake_ms)
{
    *r = (struct rig){.listen_fd = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_assert_eq(bind(r->listen_fd, (const struct sockaddr *)&here, sizeof here), 0);
    cr_assert_eq(listen(r->listen_fd, 128), 0);
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL's own writes, of the client */
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_cond_init(&r->changed, NULL);
    certs_make(&r->certs);
    r->context = server_context(&r->certs, &r->certs.server, auth, 12);
    r->renewed = server_context(&r->certs, &r->certs.renewed, auth, 12);
    const struct pump_config config = {.tls = r->context,
                                       .handshakes = {handshakes, handshake_ms},
                                       .served = 7,
                                       .let_in = let_in,
                                       .let_in_context = r,
                                       .report = on_report,
                                       .report_context = r};
    cr_assert_eq(pump_start(&config, &r->pump), 0);
}

void rig_stop(struct rig *r, int64_t wait_ms)
{
    pump_close_door(r->pump);
    pump_stop(r->pump, wait_ms);
    r->pump = NULL;
}

void rig_done(struct rig *r)
{
    if (r->pump)
        rig_stop(r, 0);
    for (unsigned i = r->taken; i < r->served_count; i++)
        close(r->served[i]);
    close(r->listen_fd);
    tls_context_free(r->context);
    tls_context_free(r->renewed);
    certs_remove(&r->certs);
}

int rig_dial(struct rig *r)
{
    static const int narrow = 4096;
    const struct timeval most = {.tv_sec = WAIT_S};
    struct sockaddr_storage from = {0};
    struct sockaddr_in here = {0};
    socklen_t size = sizeof here, from_bytes = sizeof from;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (r->narrow)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &narrow, sizeof narrow);
    cr_assert_eq(getsockname(r->listen_fd, (struct sockaddr *)&here, &size), 0);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&here, sizeof here), 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    int other = accept4(r->listen_fd, (struct sockaddr *)&from, &from_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    cr_assert_geq(other, 0);
    atomic_fetch_add(&r->dialled, 1);
    pump_take(r->pump, other, &from, from_bytes);
    atomic_fetch_add(&r->handed, 1);
    return fd;
}

struct client client_shake(struct rig *r, int fd, const struct cert_files *shows)
{
    struct client c = {.fd = fd, .ssl = client_end(&r->certs, shows, 13)};
    cr_assert_eq(SSL_set_fd(c.ssl, fd), 1);
    cr_assert_eq(SSL_connect(c.ssl), 1);
    return c;
}

struct client client_call(struct rig *r, const struct cert_files *shows)
{
    return client_shake(r, rig_dial(r), shows);
}

void client_hang_up(struct client *c)
{
    SSL_free(c->ssl);
    close(c->fd);
}

/* Wait for what others do. */
static void wait_until(struct rig *r, const struct timespec *until)
{
    cr_assert_eq(pthread_cond_timedwait(&r->changed, &r->lock, until), 0, "it did not come; last: %s",
                 r->why);
}

static struct timespec late(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += WAIT_S;
    return at;
}

int rig_served(struct rig *r)
{
    struct timespec until = late();
    (void)pthread_mutex_lock(&r->lock);
    while (r->taken == r->served_count)
        wait_until(r, &until);
    int fd = r->served[r->taken++];
    (void)pthread_mutex_unlock(&r->lock);
    return fd;
}

void rig_reported(struct rig *r, enum http_event event, unsigned count)
{
    struct timespec until = late();
    (void)pthread_mutex_lock(&r->lock);
    while (r->events[event] < count)
        wait_until(r, &until);
    (void)pthread_mutex_unlock(&r->lock);
}

unsigned rig_events(struct rig *r, enum http_event event)
{
    (void)pthread_mutex_lock(&r->lock);
    unsigned count = r->events[event];
    (void)pthread_mutex_unlock(&r->lock);
    return count;
}

void rig_gate(struct rig *r, bool closed)
{
    (void)pthread_mutex_lock(&r->lock);
    r->gate = closed;
    r->at_gate = 0;
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

void rig_wait_at_gate(struct rig *r)
{
    struct timespec until = late();
    (void)pthread_mutex_lock(&r->lock);
    while (r->at_gate == 0)
        wait_until(r, &until);
    (void)pthread_mutex_unlock(&r->lock);
}

void client_say(struct client *c, const void *bytes, size_t size)
{
    size_t done = 0;
    cr_assert_eq(SSL_write_ex(c->ssl, bytes, size, &done), 1);
    cr_assert_eq(done, size);
}

size_t client_hear(struct client *c, void *to, size_t size)
{
    size_t got = 0, part;
    ERR_clear_error();
    while (got < size && SSL_read_ex(c->ssl, (char *)to + got, size - got, &part) == 1)
        got += part;
    return got;
}

bool client_is_told_the_end(struct client *c)
{
    char byte;
    size_t got = 0;
    ERR_clear_error();
    int result = SSL_read_ex(c->ssl, &byte, 1, &got);
    return result != 1 && SSL_get_error(c->ssl, result) == SSL_ERROR_ZERO_RETURN;
}
