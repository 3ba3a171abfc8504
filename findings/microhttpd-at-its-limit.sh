#!/bin/bash
# libmicrohttpd 0.9.75: what happens to a client above the limit depends on how the library polls.
#
# One limit, one option (MHD_OPTION_CONNECTION_LIMIT), one server. With select() the client above it is closed at once.
# With poll() and epoll it is neither answered nor closed: it lies in the kernel's queue, connected as far as it can
# tell, until somebody else leaves. One would guess that a limit does the same whichever call waits for sockets.
set -euo pipefail
version=0.9.75-6

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "libmicrohttpd12=$version" "libmicrohttpd-dev=$version" >/dev/null
for package in ./*.deb; do
    dpkg-deb -x "$package" root
done
lib=$(dirname "$(find root -name 'libmicrohttpd.so.12' | head -n 1)")

cat >limit.c <<'C'
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT 2

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **own)
{
    (void)context, (void)url, (void)method, (void)version, (void)data, (void)size, (void)own;
    struct MHD_Response *r = MHD_create_response_from_buffer(2, "ok", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, r);
    MHD_destroy_response(r);
    return result;
}

static int dial(uint16_t port, const char *request)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (s < 0 || connect(s, (struct sockaddr *)&to, sizeof to) != 0 ||
        write(s, request, strlen(request)) != (ssize_t)strlen(request))
        exit(2);
    return s;
}

/* What a client sees; it waits at most so long. */
static const char *seen(int s, int most_ms)
{
    static char bytes[1024];
    struct pollfd wait = {.fd = s, .events = POLLIN};
    if (poll(&wait, 1, most_ms) == 0)
        return "neither answered nor closed";
    ssize_t size = read(s, bytes, sizeof bytes - 1);
    if (size <= 0)
        return "closed";
    bytes[size] = 0;
    return strstr(bytes, " 200 ") ? "answered" : "refused";
}

static void try(const char *name, unsigned flags)
{
    static const char whole[] = "GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | flags, 0, NULL, NULL, answer, NULL, MHD_OPTION_SOCK_ADDR,
                         &at, MHD_OPTION_CONNECTION_LIMIT, LIMIT, MHD_OPTION_END);
    if (!daemon)
        exit(2);
    uint16_t port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    int held[LIMIT]; /* inside a request that is still being sent */
    for (int i = 0; i < LIMIT; i++)
        held[i] = dial(port, "GET / HTTP/1.1\r\n");
    while (MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections < LIMIT)
        usleep(1000);
    int late = dial(port, whole);
    printf("%s: the client above it is %s", name, seen(late, 2000));
    close(held[0]);
    printf("; when another has left it is %s\n", seen(late, 30000));
    close(late);
    close(held[1]);
    MHD_stop_daemon(daemon);
}

int main(void)
{
    printf("version %s\n", MHD_get_version());
    try("select", 0);
    try("poll", MHD_USE_POLL);
    try("epoll", MHD_USE_EPOLL);
    return 0;
}
C
cc -O1 -o limit limit.c -Iroot/usr/include "$lib/libmicrohttpd.so.12"
LD_LIBRARY_PATH=$lib ./limit | tee seen

expected='version 0.9.75
select: the client above it is closed; when another has left it is closed
poll: the client above it is neither answered nor closed; when another has left it is answered
epoll: the client above it is neither answered nor closed; when another has left it is answered'
[[ $(<seen) == "$expected" ]] || {
    echo "microhttpd-at-its-limit: this is no longer what was found" >&2
    exit 1
}
