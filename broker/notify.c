/* notify: sd_notify without libsystemd. */
#include "broker/notify.h"

#include "base/clock.h"
#include "proto/units.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int64_t environment_number(const char *name);

void notify_send(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    /* A path in the file system, or, with an @, a name in the abstract space. */
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof to.sun_path)
        return;
    memcpy(to.sun_path, path, strlen(path));
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&to,
                 len); /* see notify.h */
    (void)close(fd);
}

void notify_reloading(void)
{
    char state[64];
    (void)snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono_us());
    notify_send(state);
}

int64_t notify_watchdog_ms(void)
{
    int64_t usec = environment_number("WATCHDOG_USEC");
    int64_t pid = environment_number("WATCHDOG_PID");
    if (usec < 1000 || (pid != 0 && pid != getpid()))
        return 0;
    return usec / 1000;
}

/* 0 if it is not set or not a number. */
static int64_t environment_number(const char *name)
{
    const char *text = getenv(name);
    int64_t number = 0;
    const char *ignored;
    if (!text || !units_parse_count(text, 0, INT64_MAX / 2, &number, &ignored))
        return 0;
    return number;
}
