/* guard_process: a copy of the worker that keeps nothing of it: no descriptor, no signal. It allocates
 * nothing, and ends with _exit(). */
#include "cli/guard_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/confine.h"
#include "cli/guard.h"

/* How often what is left is looked at, beside each end of a child. */
#define LOOK_MS 20
/* Children looked at in one reading of the list; the next reading sees the others. */
#define LIST_BYTES 4096

struct process {
    int line;
    int signal_fd;
    pid_t guard;
    pid_t command;
    bool alone;    /* the worker is gone */
    bool signaled; /* the worker ended it: nothing is left behind, whatever the command's users want */
    bool killed;   /* by SIGKILL: no patience for the rest either */
};

/* ---- the command */

static _Noreturn void become_command(const struct guard_spec *spec, pid_t guard, int fail_fd)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)signal(SIGPIPE,
                 SIG_DFL); /* main() ignores it; what others made us ignore stays so, as under nohup */
    (void)signal(SIGCHLD, SIG_DFL);
    (void)setpgid(0, 0);
    bool ready = true;
    for (int i = 0; i < 3; i++)
        ready = ready && dup2(spec->streams[i], i) >= 0;
    /* The kernel's hold, should the guard be killed. A guard that died before this is noticed by its absence.
     */
    ready = ready && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
    if (ready && getppid() == guard) {
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        if (!spec->confine || confine_enter(spec->confine))
            (void)execve(spec->path, spec->arguments, spec->environment);
    }
    int error = errno;
    (void)!write(fail_fd, &error, sizeof error); /* its reader may be gone */
    _exit(127);
}

/* Returns 0 or errno. */
static int start_command(struct process *p, const struct guard_spec *spec)
{
    int ends[2];
    int error = 0;
    if (pipe2(ends, O_CLOEXEC))
        return errno;
    p->command = fork();
    if (p->command == 0)
        become_command(spec, p->guard, ends[1]);
    if (p->command < 0)
        error = errno;
    (void)close(ends[1]);
    ssize_t got = p->command > 0 ? read(ends[0], &error, sizeof error) : 0;
    if (got == (ssize_t)sizeof error)
        (void)waitpid(p->command, NULL, 0);
    (void)close(ends[0]);
    return error;
}

/* ---- the process */

/* Let go of the worker's pipes, sockets and terminal, so that processes that wait for their end need not wait
 * for us. */
static void let_go(struct process *p)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3 && null >= 0; i++)
        (void)dup2(null, i);
    int low = p->line < p->signal_fd ? p->line : p->signal_fd;
    int high = p->line < p->signal_fd ? p->signal_fd : p->line;
    (void)close_range(3, (unsigned)low - 1, 0);
    if (high - low > 1)
        (void)close_range((unsigned)low + 1, (unsigned)high - 1, 0);
    (void)close_range((unsigned)high + 1, ~0u, 0);
}

static void report(const struct process *p, enum guard_kind kind, int value)
{
    struct guard_report what = {.kind = kind, .value = value};
    (void)send(p->line, &what, sizeof what, MSG_NOSIGNAL); /* who does not hear it is gone */
}

/* Sleep until a child ended, the worker spoke, or the time is over; -1 waits without end. */
static void wait_for_something(struct process *p, int for_ms)
{
    struct signalfd_siginfo info;
    struct pollfd rows[] = {{.fd = p->alone ? -1 : p->line, .events = POLLIN},
                            {.fd = p->signal_fd, .events = POLLIN}};
    (void)poll(rows, 2, for_ms);
    while (read(p->signal_fd, &info, sizeof info) > 0)
        continue; /* that one came is all there is to know */
    if (rows[0].revents == 0)
        return;
    int number = 0;
    if (recv(p->line, &number, sizeof number, MSG_DONTWAIT) != (ssize_t)sizeof number) {
        p->alone = true;
        number = SIGKILL;
    }
    p->signaled = true;
    p->killed |= number == SIGKILL;
    if (p->command > 0)
        (void)kill(-p->command, number);
}

/* Reap what has ended. The command stays, so that its number cannot be another's; true when it has ended. */
static bool reap_orphans(const struct process *p)
{
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == 0)
            return false;
        if (info.si_pid == p->command)
            return true;
        (void)waitpid(info.si_pid, NULL, WNOHANG);
    }
}

/* Our own children: those that lost their parents came to us. */
static void signal_children(const struct process *p, int number)
{
    char path[64];
    char list[LIST_BYTES];
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)p->guard);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, list, sizeof list - 1);
    if (fd >= 0)
        (void)close(fd);
    list[got > 0 ? got : 0] = '\0';
    /* A number that the reading cut off has no blank behind it. */
    for (char *at = list; strchr(at, ' '); at = strchr(at, ' ') + 1) {
        pid_t pid = (pid_t)strtol(at, NULL, 10);
        if (pid > 0)
            (void)kill(pid, number); /* nobody but us reaps it: it is still that one */
    }
}

/* End all that is left. Without /proc, or if somebody may not be killed, this gives up in time. */
static void sweep(struct process *p)
{
    int64_t kill_at_ms = clock_deadline(p->killed ? 0 : GUARD_LEFTOVER_MS);
    int64_t give_up_at_ms = kill_at_ms + GUARD_KILL_MS;
    bool begun = false;
    while (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD) {
        int64_t now_ms = clock_mono_ms();
        if (now_ms >= give_up_at_ms)
            return;
        if (p->killed || now_ms >= kill_at_ms)
            signal_children(p, SIGKILL);
        else if (!begun)
            signal_children(p, SIGTERM);
        begun = true;
        wait_for_something(p, LOOK_MS);
    }
}

_Noreturn void guard_process_run(const struct guard_spec *spec, int line)
{
    sigset_t all;
    sigset_t child;
    int status = 0;
    struct process p = {.line = line, .guard = getpid()};
    (void)sigfillset(&all);
    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &all,
                      NULL); /* a signal that stops the worker does not end us: the worker tells us */
    (void)signal(SIGCHLD, SIG_DFL);
    (void)setpgid(0, 0); /* a stopped terminal does not stop us */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)prctl(PR_SET_NAME, "shunt-guard");
    p.signal_fd = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
    int error = p.signal_fd < 0 ? errno : start_command(&p, spec);
    if (error) {
        report(&p, GUARD_FAILED, error);
        _exit(1);
    }
    report(&p, GUARD_BEGUN, (int)p.command);
    let_go(&p);
    while (!reap_orphans(&p))
        wait_for_something(&p, -1);
    bool all_of_it = p.signaled || !spec->leave;
    /* The dead leader keeps the group's number: it cannot have become another's yet. */
    if (all_of_it)
        (void)kill(-p.command, p.killed ? SIGKILL : SIGTERM);
    (void)waitpid(p.command, &status, 0);
    p.command = 0;
    if (all_of_it)
        sweep(&p);
    report(&p, GUARD_ENDED, status);
    _exit(0);
}
