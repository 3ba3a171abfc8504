/* stop_signals: see stop_signals.h. The handler touches atomics only, and write(). */
#include "client/worker/stop_signals.h"

#include "base/clock.h"
#include "client/wire/error.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* What a process that was forked has of this is its parent's, and is put away by forget(). */
static const int stop_numbers[] = {SIGTERM, SIGINT};
#define STOP_NUMBERS (sizeof stop_numbers / sizeof *stop_numbers)

/* Guards what begin and end do; the handler never takes it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned workers;
static pid_t owner; /* the process whose workers are told */
static struct sigaction
    old_actions[STOP_NUMBERS]; /* written before a handler can run, and not while one can */

static atomic_int wake_fds[STOP_WORKERS_MAX]; /* descriptor + 1; 0 is free */
static atomic_uint hasty;                     /* workers that a second signal is to kill */
static atomic_int seen;
static atomic_llong seen_ms;

static void do_as_without_us(int signal_number)
{
    for (size_t i = 0; i < STOP_NUMBERS; i++)
        (void)sigaction(stop_numbers[i], &old_actions[i], NULL);
    (void)raise(signal_number);
}

static void on_stop(int signal_number)
{
    int saved = errno, count = atomic_load(&seen);
    uint64_t one = 1;

    if (getpid() != owner) {
        do_as_without_us(signal_number);
        errno = saved;
        return;
    }
    if (count > 0 && clock_mono_ms() - atomic_load(&seen_ms) < STOP_SAME_MS)
        return;
    if (count > 0 && atomic_load(&hasty) > 0) {
        do_as_without_us(signal_number);
        errno = saved;
        return;
    }
    atomic_store(&seen_ms, clock_mono_ms());
    atomic_store(&seen, count == 0 ? 1 : 2);
    for (size_t i = 0; i < STOP_WORKERS_MAX; i++) {
        int fd = atomic_load(&wake_fds[i]);

        if (fd > 0)
            (void)!write(fd - 1, &one, sizeof one); /* full: it will wake anyway */
    }
    errno = saved;
}

/* In a process that was just forked, which has one thread: no worker of its own runs. The handlers stay, and
 * do what would be done without them; `old_actions` is what that is. */
static void forget(void)
{
    (void)pthread_mutex_init(&lock, NULL); /* another thread may have held it */
    for (size_t i = 0; i < STOP_WORKERS_MAX; i++)
        atomic_store(&wake_fds[i], 0);
    atomic_store(&hasty, 0);
    atomic_store(&seen, 0);
    workers = 0;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void forget_when_forked(void)
{
    /* Without memory for it a copy that runs a worker hears no signals; nothing else is lost. */
    (void)pthread_atfork(NULL, NULL, forget);
}

/* What is to be done without us. Handlers of ours are inherited: then it is known already. */
static int old_actions_read(void)
{
    for (size_t i = 0; i < STOP_NUMBERS; i++) {
        struct sigaction now;

        if (sigaction(stop_numbers[i], NULL, &now) != 0)
            return errno;
        if (now.sa_handler != on_stop)
            old_actions[i] = now;
    }
    return 0;
}

static int handlers_install(struct shunt_error *err)
{
    struct sigaction action;
    int error = old_actions_read();

    owner = getpid();
    memset(&action, 0, sizeof action);
    (void)sigfillset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    action.sa_handler = on_stop;
    if (error != 0)
        return error_set(err, SHUNT_IO, "cannot handle signals: %s", strerror(error));
    for (size_t i = 0; i < STOP_NUMBERS; i++) {
        if (old_actions[i].sa_handler != SIG_IGN && sigaction(stop_numbers[i], &action, NULL) != 0)
            return error_set(err, SHUNT_IO, "cannot handle signals: %s", strerror(errno));
    }
    return 0;
}

static void handlers_restore(void)
{
    for (size_t i = 0; i < STOP_NUMBERS; i++)
        (void)sigaction(stop_numbers[i], &old_actions[i], NULL); /* it was valid when we took it */
}

int stop_signals_begin(int wake_fd, bool second_kills, struct shunt_error *err)
{
    size_t i = 0;
    int code = 0;

    (void)pthread_once(&once, forget_when_forked); /* cannot fail with a control that is initialised */
    (void)pthread_mutex_lock(&lock);
    while (i < STOP_WORKERS_MAX && atomic_load(&wake_fds[i]) != 0)
        i++;
    if (i == STOP_WORKERS_MAX) {
        code = error_set(err, SHUNT_TOO_MANY, "more than %d workers run in this process", STOP_WORKERS_MAX);
    } else if (workers == 0) {
        atomic_store(&seen, 0);
        code = handlers_install(err);
    }
    if (code == 0) {
        workers++;
        atomic_store(&wake_fds[i], wake_fd + 1);
        atomic_fetch_add(&hasty, second_kills ? 1 : 0);
    }
    (void)pthread_mutex_unlock(&lock);
    return code;
}

void stop_signals_end(int wake_fd, bool second_kills)
{
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < STOP_WORKERS_MAX; i++) {
        int fd = wake_fd + 1;

        if (atomic_compare_exchange_strong(&wake_fds[i], &fd, 0)) {
            atomic_fetch_sub(&hasty, second_kills ? 1 : 0);
            workers--;
            if (workers == 0)
                handlers_restore();
            break;
        }
    }
    (void)pthread_mutex_unlock(&lock);
}

int stop_signals_seen(void)
{
    return atomic_load(&seen);
}
