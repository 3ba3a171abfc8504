/* child: see child.h. The parent's hand on one process: spawn, ask, kill, reap; read and write without
 * waiting. */
#include "client/worker/child.h"

#include "base/check.h"
#include "client/wire/error.h"
#include "client/worker/passed_on.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void fd_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd); /* nothing of ours is buffered behind it */
        *fd = -1;
    }
}

static void fds_close(int fds[2])
{
    fd_close(&fds[0]);
    fd_close(&fds[1]);
}

static struct child_page *page_new(void)
{
    struct child_page *page =
        mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return page == MAP_FAILED ? NULL : page;
}

static void page_free(struct child_page **page)
{
    if (*page) {
        (void)munmap(*page, sizeof **page); /* cannot fail for what mmap() gave */
        *page = NULL;
    }
}

static void fd_nonblocking(int fd)
{
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); /* cannot fail on an open descriptor */
}

/* In the child. Its ends are the second of each pair. */
static _Noreturn void child_begin(const struct child_spawn *spawn, pid_t parent, int socket[2], int crash[2],
                                  int errors[2], struct child_page *page)
{
    for (uint32_t i = 0; i < spawn->all_count; i++) {
        struct child other = spawn->all[i];

        fd_close(&other.pid_fd);
        fd_close(&other.socket);
        fd_close(&other.crash);
        fd_close(&other.errors);
        page_free(&other.page);
    }
    (void)close(spawn->poll_fd);
    (void)close(socket[0]);
    (void)close(crash[0]);
    (void)close(errors[0]);
    (void)dup2(errors[1], STDERR_FILENO);
    if (errors[1] != STDERR_FILENO)
        (void)close(errors[1]);
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1); /* it died before we asked to be told */
    child_run(spawn->settings, socket[1], crash[1], page);
}

int child_spawn(struct child *c, const struct child_spawn *spawn, struct shunt_error *err)
{
    int socket[2] = {-1, -1}, crash[2] = {-1, -1}, errors[2] = {-1, -1};
    struct child_page *page = page_new();
    pid_t parent = getpid(), pid;
    sigset_t all, mask;

    check(c->state == CHILD_ABSENT);
    if (!page || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socket) != 0 ||
        pipe2(crash, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0)
        goto fail;
    (void)fflush(NULL); /* or what waits in stdio's buffers would be written twice */
    /* The child must not run our signal handlers before it has put them away. */
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &mask);
    pid = fork();
    if (pid == 0)
        child_begin(spawn, parent, socket, crash, errors, page);
    (void)sigprocmask(SIG_SETMASK, &mask, NULL);
    if (pid < 0)
        goto fail;
    (void)setpgid(pid, pid); /* either of us is first */
    fd_close(&socket[1]);
    fd_close(&crash[1]);
    fd_close(&errors[1]);
    fd_nonblocking(socket[0]);
    fd_nonblocking(crash[0]);
    fd_nonblocking(errors[0]);
    c->state = CHILD_STARTING;
    c->pid = pid;
    c->pid_fd = pidfd_open(pid, 0); /* without it child_reap() is called now and then */
    c->socket = socket[0];
    c->crash = crash[0];
    c->errors = errors[0];
    c->page = page;
    return 0;

fail:
    (void)error_set(err, SHUNT_IO, "cannot start a child process: %s", strerror(errno));
    fds_close(socket);
    fds_close(crash);
    fds_close(errors);
    page_free(&page);
    return SHUNT_IO;
}

bool child_reap(const struct child *c, int *ret_status)
{
    siginfo_t ended = {0};
    int status;
    pid_t pid;

    if (waitid(P_PID, (id_t)c->pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0)
        return false;
    if (ended.si_pid != 0)
        (void)kill(-c->pid, SIGKILL); /* while it is not reaped nobody else can have its number */
    pid = waitpid(c->pid, &status, WNOHANG);
    if (pid == 0)
        return false;
    if (pid < 0) {
        if (errno != ECHILD)
            return false;
        status = -1; /* reaped by somebody else, or by a SIGCHLD that is ignored */
    }
    *ret_status = status;
    return true;
}

void child_kill(const struct child *c)
{
    (void)kill(-c->pid, SIGKILL);
    (void)kill(c->pid, SIGKILL); /* it may have joined another group; fails only if it is gone */
}

void child_ask(const struct child *c)
{
    /* To the thread that runs the handler: another one would tell of itself. */
    (void)syscall(SYS_tgkill, c->pid, c->pid, crash_ask_signal());
}

void child_close(struct child *c)
{
    fd_close(&c->pid_fd);
    fd_close(&c->socket);
    fd_close(&c->crash);
    fd_close(&c->errors);
    page_free(&c->page);
    free(c->out);
    c->out = NULL;
    c->state = CHILD_ABSENT;
    c->pid = 0;
    c->deadline_ms = -1;
    c->job = NULL;
    c->has_job = c->ready = c->timed_out = c->babbled = c->unheard = c->became = c->killed = c->release =
        false;
    c->in_bytes = c->raw_bytes = c->tail_bytes = c->out_bytes = c->out_sent = 0;
    diagnosis_init(&c->said);
}

bool child_send(struct child *c)
{
    while (c->out) {
        struct iovec parts[2] = {{&c->head, sizeof c->head}, {c->out, c->out_bytes}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t n;

        if (c->out_sent < sizeof c->head) {
            parts[0].iov_base = (char *)&c->head + c->out_sent;
            parts[0].iov_len -= c->out_sent;
        } else {
            parts[0].iov_len = 0;
            parts[1].iov_base = c->out + (c->out_sent - sizeof c->head);
            parts[1].iov_len -= c->out_sent - sizeof c->head;
        }
        n = sendmsg(c->socket, &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        c->out_sent += (size_t)n;
        if (c->out_sent == sizeof c->head + c->out_bytes) {
            free(c->out);
            c->out = NULL;
        }
    }
    return true;
}

/* Read into what is left of `room`; false at the end of the stream. A full buffer reads nothing. */
static bool fd_read(int fd, void *to, size_t room, size_t *used)
{
    while (*used < room) {
        ssize_t n = read(fd, (char *)to + *used, room - *used);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        *used += (size_t)n;
    }
    return true;
}

bool child_read_verdict(struct child *c)
{
    return fd_read(c->socket, c->in, sizeof c->in, &c->in_bytes);
}

bool child_read_crash(struct child *c, bool *ret_whole)
{
    bool open = c->crash >= 0 && fd_read(c->crash, &c->raw, sizeof c->raw, &c->raw_bytes);

    *ret_whole = crash_raw_complete(&c->raw, c->raw_bytes);
    return open;
}

static void tail_add(struct child *c, const char *bytes, size_t size)
{
    shunt_diagnosis_add(&c->said, bytes, size);
    if (size >= sizeof c->tail) {
        memcpy(c->tail, bytes + (size - sizeof c->tail), sizeof c->tail);
        c->tail_bytes = sizeof c->tail;
        return;
    }
    if (c->tail_bytes + size > sizeof c->tail) {
        size_t drop = c->tail_bytes + size - sizeof c->tail;

        memmove(c->tail, c->tail + drop, c->tail_bytes - drop);
        c->tail_bytes -= drop;
    }
    memcpy(c->tail + c->tail_bytes, bytes, size);
    c->tail_bytes += size;
}

bool child_read_errors(struct child *c)
{
    char bytes[16384];

    /* Bounded, so that a child that writes without end does not keep us here. */
    for (int i = 0; i < 16 && c->errors >= 0; i++) {
        ssize_t n = read(c->errors, bytes, sizeof bytes);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        passed_on_write(bytes, (size_t)n);
        tail_add(c, bytes, (size_t)n);
    }
    return c->errors >= 0;
}

/* The texts of a verdict, in the order in which they follow its head. */
static const struct verdict_text {
    size_t at, max; /* where its length stands in the head */
    void (*set)(struct shunt_verdict *v, const char *text, size_t bytes);
} verdict_texts[] = {
    {offsetof(struct child_verdict, type_bytes), ERROR_TYPE_BYTES_MAX, verdict_set_type},
    {offsetof(struct child_verdict, message_bytes), ERROR_MESSAGE_BYTES_MAX, verdict_set_message},
    {offsetof(struct child_verdict, stack_bytes), ERROR_STACK_BYTES_MAX, verdict_set_stack},
    {offsetof(struct child_verdict, fingerprint_bytes), ERROR_FINGERPRINT_BYTES_MAX, verdict_set_fingerprint},
};
#define VERDICT_TEXTS (sizeof verdict_texts / sizeof *verdict_texts)

static uint32_t verdict_bytes(const struct child_verdict *head, const struct verdict_text *text)
{
    uint32_t bytes;

    memcpy(&bytes, (const char *)head + text->at, sizeof bytes);
    return bytes;
}

int child_take_verdict(struct child *c, int *ret_outcome, bool *ret_leaving, struct shunt_verdict *v)
{
    struct child_verdict head;
    size_t size = sizeof head, at = sizeof head;

    if (c->in_bytes < sizeof head)
        return 0;
    memcpy(&head, c->in, sizeof head);
    for (size_t i = 0; i < VERDICT_TEXTS; i++) {
        uint32_t bytes = verdict_bytes(&head, &verdict_texts[i]);

        if (bytes != CHILD_NO_TEXT && bytes > verdict_texts[i].max)
            return -1;
        size += bytes == CHILD_NO_TEXT ? 0 : bytes;
    }
    if (head.outcome < CHILD_READY || head.outcome > SHUNT_RELEASE || head.delay_ms < SHUNT_BACKOFF ||
        head.leaving > 1 || head.number != (c->state == CHILD_STARTING ? 0 : c->head.number))
        return -1;
    if (c->in_bytes != size)
        return c->in_bytes < size ? 0 : -1; /* it has one job at a time, so one verdict */
    verdict_clear(v);
    v->delay_ms = head.delay_ms;
    for (size_t i = 0; i < VERDICT_TEXTS; i++) {
        uint32_t bytes = verdict_bytes(&head, &verdict_texts[i]);

        if (bytes == CHILD_NO_TEXT)
            continue;
        verdict_texts[i].set(v, c->in + at, bytes);
        at += bytes;
    }
    *ret_outcome = head.outcome;
    *ret_leaving = head.leaving != 0;
    c->in_bytes = 0;
    return 1;
}
