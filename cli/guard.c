/* guard: the worker's side. */
#include "cli/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/guard_process.h"

static void wait_for(pid_t pid, int *ret_status)
{
    while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
        continue;
}

int guard_start(struct guard *g, const struct guard_spec *spec)
{
    int ends[2];
    int status = 0;
    struct guard_report report = {0};
    *g = (struct guard){.line = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return errno;
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(ends[0]);
        guard_process_run(spec, ends[1]);
    }
    int error = pid < 0 ? errno : 0;
    (void)close(ends[1]);
    if (error == 0) {
        /* As with vfork(): until the command has begun, or cannot. */
        ssize_t got;
        while ((got = recv(ends[0], &report, sizeof report, 0)) < 0 && errno == EINTR)
            continue;
        if (got != (ssize_t)sizeof report || report.kind != GUARD_BEGUN)
            error = got == (ssize_t)sizeof report ? report.value : EAGAIN;
        if (error)
            wait_for(pid, &status);
    }
    if (error) {
        (void)close(ends[0]);
        return error;
    }
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    *g = (struct guard){.pid = pid, .command = report.value, .line = ends[0]};
    return 0;
}

void guard_signal(const struct guard *g, int signal)
{
    if (g->line >= 0) {
        (void)send(g->line, &signal, sizeof signal,
                   MSG_NOSIGNAL | MSG_DONTWAIT); /* it ends: nobody to signal */
    }
}

static void reap(struct guard *g, int *ret_status)
{
    (void)close(g->line);
    wait_for(g->pid, ret_status);
    *g = (struct guard){.line = -1};
}

bool guard_take_end(struct guard *g, int *ret_status)
{
    int own = 0;
    struct guard_report report = {0};
    bool told =
        recv(g->line, &report, sizeof report, 0) == (ssize_t)sizeof report && report.kind == GUARD_ENDED;
    if (!told)
        (void)kill(-g->command, SIGKILL); /* it had no time to */
    reap(g, &own);
    *ret_status = told ? report.value : own;
    return told;
}

void guard_close(struct guard *g)
{
    int status = 0;
    if (g->line >= 0)
        reap(g, &status);
}
