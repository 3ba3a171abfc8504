/* worker_child: what a standing child does, from fork() to its end: take a job, handle it, say its outcome.
 *
 * It leaves when its parent closes the socket, and is killed when its parent dies: nobody would hear of its
 * work.
 */
#include "client/worker/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Larger job buffers are given back after use. */
#define JOB_BYTES_KEPT (1024 * 1024)

static void on_swallowed(int signal_number)
{
    (void)signal_number;
}

/* As after exec: what the program ignores stays ignored, its handlers are gone. But a signal that it handles,
 * or with which a terminal or a service manager stops the whole program, is its parent's to act upon, so here
 * it does nothing. Nothing stays blocked: the thread that forked us may have had its own reasons to. */
static void signals_reset(void)
{
    struct sigaction swallow, old;
    sigset_t none;

    memset(&swallow, 0, sizeof swallow);
    (void)sigemptyset(&swallow.sa_mask);
    swallow.sa_flags = SA_RESTART;
    swallow.sa_handler = on_swallowed;
    for (int i = 1; i <= SIGRTMAX; i++) {
        bool stops = i == SIGTERM || i == SIGINT;

        if (i == SIGCHLD)
            (void)signal(i, SIG_DFL);
        else if (stops ||
                 (sigaction(i, NULL, &old) == 0 && old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN))
            (void)sigaction(i, &swallow, NULL); /* fails for those that nobody can change */
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* False at the end of the stream: the parent wants no more. */
static bool receive(int socket, void *to, size_t size)
{
    char *at = to;

    while (size > 0) {
        ssize_t n = read(socket, at, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

/* The socket as it was given to us. A handler that closes descriptors which are not its own, and opens
 * others, may have put a file or a connection of its own in its place. */
static struct stat channel;

static bool is_channel(int fd)
{
    struct stat now;

    return fstat(fd, &now) == 0 && now.st_dev == channel.st_dev && now.st_ino == channel.st_ino;
}

static bool transmit(int socket, const void *from, size_t size)
{
    const char *at = from;

    if (!is_channel(socket))
        return false;

    while (size > 0) {
        ssize_t n = send(socket, at, size, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static uint32_t text_put(char *to, size_t *at, bool there, const char *text)
{
    size_t len = there ? strlen(text) : 0;

    memcpy(to + *at, text, len);
    *at += len;
    return there ? (uint32_t)len : CHILD_NO_TEXT;
}

/* In one write, so that the parent mostly reads it at once. */
static bool verdict_send(int socket, uint64_t number, int outcome, bool leaving,
                         const struct shunt_verdict *v)
{
    static char bytes[CHILD_VERDICT_BYTES_MAX];
    struct child_verdict head;
    size_t at = sizeof head;

    memset(&head, 0, sizeof head);
    head.number = number;
    head.outcome = outcome;
    head.leaving = leaving;
    head.delay_ms = v->delay_ms;
    head.type_bytes = text_put(bytes, &at, v->has_type, v->type);
    head.message_bytes = text_put(bytes, &at, v->has_message, v->message);
    head.stack_bytes = text_put(bytes, &at, v->has_stack, v->stack);
    head.fingerprint_bytes = text_put(bytes, &at, v->has_fingerprint, v->fingerprint);
    memcpy(bytes, &head, sizeof head);
    return transmit(socket, bytes, at);
}

/* A buffer of at least `size` bytes in place of `*buffer`. */
static void *job_room(void **buffer, size_t *capacity, size_t size)
{
    if (size > *capacity || !*buffer) {
        free(*buffer);
        *capacity = size < 4096 ? 4096 : size;
        *buffer = malloc(*capacity);
    }
    return *buffer;
}

/* Resident memory of this process; 0 if it cannot be told. */
static uint64_t memory_bytes(void)
{
    unsigned long long all, resident;
    FILE *f = fopen("/proc/self/statm", "re");
    bool read = f && fscanf(f, "%llu %llu", &all, &resident) == 2;

    if (f)
        (void)fclose(f); /* it was only read */
    return read ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* It has had its jobs, or has grown too large. */
static bool is_over(const struct child_pool_settings *settings, uint64_t jobs)
{
    return (settings->jobs_max > 0 && jobs >= settings->jobs_max) ||
           (settings->memory_bytes_max > 0 && memory_bytes() > settings->memory_bytes_max);
}

/* The handler has forked, and this is the copy: the job is the other one's. */
static _Noreturn void copy_leave(void)
{
    (void)fprintf(
        stderr,
        "a process that the handler forked returned from the handler; it ends here, and its verdict counts "
        "for nothing: let it call _exit()\n");
    _exit(1);
}

/* Handle one job, the child's number `jobs`. False if it was the last. */
static bool job_run(const struct child_pool_settings *settings, int socket, struct child_page *page,
                    const struct child_job *head, const void *bytes, uint64_t jobs)
{
    static struct shunt_verdict verdict;
    pid_t self = getpid();
    int outcome;
    bool leaving;

    verdict_clear(&verdict);
    (void)prctl(PR_GET_NAME, page->name); /* cannot fail for 16 bytes */
    outcome = settings->handle(settings->context, bytes, (size_t)head->size, &verdict);
    if (getpid() != self)
        copy_leave();
    outcome = verdict_settle(&verdict, outcome);
    (void)fflush(stdout); /* what it printed belongs before its verdict */
    leaving = is_over(settings, jobs);
    if (!verdict_send(socket, head->number, outcome, leaving, &verdict)) {
        atomic_store(&page->unheard, true);
        return false;
    }
    return !leaving;
}

static void jobs_run(const struct child_pool_settings *settings, int socket, struct child_page *page)
{
    struct shunt_verdict none;
    struct child_job head;
    void *bytes = NULL;
    size_t capacity = 0;
    uint64_t jobs = 0;
    bool more;

    verdict_clear(&none);
    more = verdict_send(socket, 0, CHILD_READY, false, &none);
    while (more && receive(socket, &head, sizeof head)) {
        if (!job_room(&bytes, &capacity, (size_t)head.size)) {
            (void)fprintf(stderr, "no memory for a message of %llu bytes\n", (unsigned long long)head.size);
            _exit(1);
        }
        if (!receive(socket, bytes, (size_t)head.size))
            break;
        jobs++;
        more = job_run(settings, socket, page, &head, bytes, jobs);
        if (capacity > JOB_BYTES_KEPT) {
            free(bytes);
            bytes = NULL;
        }
    }
    free(bytes);
}

_Noreturn void child_run(const struct child_pool_settings *settings, int socket, int crash,
                         struct child_page *page)
{
    signals_reset();
    (void)fstat(socket, &channel); /* cannot fail: it was opened just before */
    crash_capture_install(crash);
    if (settings->prepare)
        settings->prepare(settings->context);
    jobs_run(settings, socket, page);
    (void)fflush(NULL);
    _exit(0); /* the parent's exit handlers are the parent's */
}
