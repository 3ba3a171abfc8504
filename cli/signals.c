/* signals: a signalfd; the commands we start get an empty mask again (guard_process.c). */
#include "cli/signals.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

static int open_with(bool children)
{
    sigset_t stop;
    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGINT);
    (void)sigaddset(&stop, SIGTERM);
    /* A blocked signal arrives even if it is ignored. */
    struct sigaction hangup;
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        (void)sigaddset(&stop, SIGHUP);
    if (children)
        (void)sigaddset(&stop, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &stop, NULL))
        return -1;
    return signalfd(-1, &stop, SFD_NONBLOCK | SFD_CLOEXEC);
}

int signals_open(void)
{
    return open_with(false);
}

int signals_open_with_children(void)
{
    return open_with(true);
}

int signals_take(int fd)
{
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo != SIGCHLD)
            return (int)info.ssi_signo;
    }
    return 0;
}

void signals_close(int fd)
{
    sigset_t stop;
    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGINT);
    (void)sigaddset(&stop, SIGTERM);
    (void)sigaddset(&stop, SIGHUP);
    (void)close(fd);
    (void)sigprocmask(SIG_UNBLOCK, &stop, NULL);
}
