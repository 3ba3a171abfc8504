#!/bin/bash
# libuv 1.44: when the process has no file descriptor left, uv_listen()'s callback is not called: libuv accepts the
# connections that wait and closes them.
#
# One would guess that they stay in the kernel's queue until there is a descriptor again, or that the callback gets
# UV_EMFILE, as it gets other errors of accept(). Instead libuv keeps a descriptor in reserve, gives it up to accept
# each connection, and closes it (uv__emfile_trick() in src/unix/stream.c). The clients were connected and see the end
# of the stream; the server is told nothing and has nothing to count or to log.
set -euo pipefail
version=1.44.2-1+deb12u1

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "libuv1=$version" "libuv1-dev=$version" >/dev/null
for package in ./*.deb; do dpkg-deb -x "$package" root; done
lib=$folder/root/usr/lib/x86_64-linux-gnu

cat >accept.c <<'C'
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define CLIENTS 3

static int callbacks;

static void connected(uv_stream_t *listener, int status)
{
    (void)listener;
    (void)status;
    callbacks++;
}

/* A server at its limit of descriptors or (`spare`) with one left; how it and its clients fare. */
static void serve(int spare)
{
    uv_loop_t loop;
    uv_tcp_t listener;
    struct sockaddr_in address;
    int size = sizeof address, clients[CLIENTS], filled[1024], count = 0, closed = 0;
    uv_loop_init(&loop);
    uv_tcp_init(&loop, &listener);
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_bind(&listener, (struct sockaddr *)&address, 0);
    uv_listen((uv_stream_t *)&listener, 16, connected);
    uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &size);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(clients[i], (struct sockaddr *)&address, sizeof address))
            _exit(2);
    }
    while ((filled[count] = open("/dev/null", O_RDONLY)) >= 0)
        count++;
    if (spare)
        close(filled[--count]);
    callbacks = 0;
    for (int i = 0; i < 10; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    for (int i = 0; i < CLIENTS; i++) {
        struct pollfd readable = {.fd = clients[i], .events = POLLIN};
        char byte;
        closed += poll(&readable, 1, 0) == 1 && recv(clients[i], &byte, 1, 0) == 0;
        close(clients[i]);
    }
    printf("%s: %d of %d clients closed, callbacks: %s\n", spare ? "one descriptor left" : "no descriptor left", closed,
           CLIENTS, callbacks ? "yes" : "none");
    while (count > 0)
        close(filled[--count]);
    uv_close((uv_handle_t *)&listener, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
}

int main(void)
{
    printf("libuv %s\n", uv_version_string());
    serve(1);
    serve(0);
    return 0;
}
C
cc -Iroot/usr/include accept.c -o accept "$lib/libuv.so.1"
(ulimit -n 64 && LD_LIBRARY_PATH=$lib ./accept) >seen
cat seen

expected='libuv 1.44.2
one descriptor left: 0 of 3 clients closed, callbacks: yes
no descriptor left: 3 of 3 clients closed, callbacks: none'
[[ $(<seen) == "$expected" ]] || {
    echo "libuv-out-of-descriptors: this is no longer what was found" >&2
    exit 1
}
