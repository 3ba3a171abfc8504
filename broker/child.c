/* child: see child.h.
 *
 * Happy path: three pipes, one for each standard stream; the program is spawned with their other ends; one poll()
 * watches what can be written and read, the program's end, the order to stop, and the time.
 */
#include "broker/child.h"

#include "base/clock.h"
#include "base/utf8.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STREAM_IN, STREAM_OUT, STREAM_ERR, STREAMS };
enum { WATCH_END = STREAMS, WATCH_STOP, WATCHES };

struct child {
    const struct child_command *command;
    struct child_result *result;
    pid_t pid;
    int ours[STREAMS], theirs[STREAMS]; /* ends of the pipes; -1: closed */
    int end_fd;
    size_t written;       /* of the input */
    size_t kept[STREAMS]; /* of what it wrote */
    char text[STREAMS][CHILD_TEXT_BYTES - 1];
};

static void close_end(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* nothing that matters is lost in it */
    *fd = -1;
}

static bool make_pipes(struct child *c)
{
    for (int i = 0; i < STREAMS; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0)
            return false;
        c->ours[i] = ends[i == STREAM_IN];
        c->theirs[i] = ends[i != STREAM_IN];
        if (fcntl(c->ours[i], F_SETFL, O_NONBLOCK) != 0)
            return false;
    }
    return true;
}

/* Returns an errno. */
static int set_up(posix_spawn_file_actions_t *files, posix_spawnattr_t *how, const struct child *c)
{
    sigset_t none, all;
    (void)sigemptyset(&none); /* these fail for no set */
    (void)sigfillset(&all);
    int err = 0;
    for (int i = 0; !err && i < STREAMS; i++)
        err = posix_spawn_file_actions_adddup2(files, c->theirs[i], i);
    if (!err)
        err = posix_spawn_file_actions_addclosefrom_np(files, STREAMS);
    if (!err)
        err = posix_spawnattr_setsigmask(how, &none);
    if (!err)
        err = posix_spawnattr_setsigdefault(how, &all);
    if (!err)
        err = posix_spawnattr_setpgroup(how, 0);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP;
    if (!err)
        err = posix_spawnattr_setflags(how, flags);
    return err;
}

static int spawn(struct child *c)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    if (!make_pipes(c))
        return errno;
    int err = posix_spawn_file_actions_init(&files);
    if (err)
        return err;
    err = posix_spawnattr_init(&how);
    if (!err) {
        err = set_up(&files, &how, c);
        if (!err) {
            err = posix_spawnp(&c->pid, c->command->words[0], &files, &how, c->command->words,
                               c->command->environment);
        }
        (void)posix_spawnattr_destroy(&how);
    }
    (void)posix_spawn_file_actions_destroy(&files); /* neither fails */
    if (err)
        return err;
    for (int i = 0; i < STREAMS; i++)
        close_end(&c->theirs[i]);
    c->end_fd = pidfd_open(c->pid, 0);
    return 0;
}

static void write_input(struct child *c)
{
    const struct slice *input = &c->command->input;
    ssize_t size =
        write(c->ours[STREAM_IN], (const char *)input->data + c->written, input->size - c->written);
    if (size > 0)
        c->written += (size_t)size;
    if ((size < 0 && errno != EAGAIN && errno != EINTR) || c->written == input->size)
        close_end(&c->ours[STREAM_IN]); /* it has all, or does not want it */
}

/* False when there is no more, now or ever. */
static bool read_stream(struct child *c, int stream)
{
    char bytes[4096];
    ssize_t size = read(c->ours[stream], bytes, sizeof bytes);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (size <= 0) {
        close_end(&c->ours[stream]);
        return false;
    }
    size_t room = sizeof c->text[stream] - c->kept[stream];
    size_t more = (size_t)size < room ? (size_t)size : room;
    memcpy(c->text[stream] + c->kept[stream], bytes, more);
    c->kept[stream] += more;
    return true;
}

/* True when it is over; its end is then in the result, without the status. */
static bool watch(struct child *c, int64_t deadline_ms)
{
    struct pollfd fds[WATCHES];
    for (int i = 0; i < STREAMS; i++)
        fds[i] = (struct pollfd){.fd = c->ours[i], .events = i == STREAM_IN ? POLLOUT : POLLIN};
    fds[WATCH_END] = (struct pollfd){.fd = c->end_fd, .events = POLLIN};
    fds[WATCH_STOP] = (struct pollfd){.fd = c->command->stop_fd, .events = POLLIN};
    int ready = poll(fds, WATCHES, clock_poll_ms(deadline_ms));
    bool late = clock_mono_ms() >= deadline_ms;
    if (ready > 0 && fds[WATCH_STOP].revents) {
        c->result->end = CHILD_STOPPED;
        return true;
    }
    if (ready > 0 && fds[WATCH_END].revents) {
        c->result->end = CHILD_EXITED;
        return true;
    }
    if (late || (ready < 0 && errno != EINTR)) {
        c->result->end = CHILD_TIMED_OUT;
        return true;
    }
    if (ready > 0 && fds[STREAM_IN].revents)
        write_input(c);
    for (int i = STREAM_OUT; ready > 0 && i < STREAMS; i++) {
        if (fds[i].revents)
            (void)read_stream(c, i);
    }
    return false;
}

/* The first line of it. */
static void take_text(char to[CHILD_TEXT_BYTES], char *text, size_t size)
{
    size_t line = 0;
    while (line < size && text[line] != '\n' && text[line] != '\r')
        line++;
    utf8_clean(to, text, line);
    to[line] = '\0';
}

static void end(struct child *c)
{
    int status = 0;
    /* Before it is reaped: as long as its process is there, nobody else can have the number of the group. */
    (void)kill(-c->pid, SIGKILL);
    for (int i = STREAM_OUT; i < STREAMS; i++) {
        while (c->ours[i] >= 0 && c->kept[i] < sizeof c->text[i] && read_stream(c, i))
            continue;
        take_text(i == STREAM_OUT ? c->result->out : c->result->err, c->text[i], c->kept[i]);
    }
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (c->result->end != CHILD_EXITED)
        return;
    if (WIFSIGNALED(status))
        c->result->end = CHILD_SIGNALLED;
    c->result->status = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

void child_run(const struct child_command *command, struct child_result *ret)
{
    struct child c = {
        .command = command, .result = ret, .ours = {-1, -1, -1}, .theirs = {-1, -1, -1}, .end_fd = -1};
    *ret = (struct child_result){.end = CHILD_NOT_STARTED};
    ret->status = spawn(&c);
    if (!ret->status) {
        int64_t deadline_ms = clock_deadline(command->timeout_ms);
        while (!watch(&c, deadline_ms))
            continue;
        end(&c);
    }
    for (int i = 0; i < STREAMS; i++) {
        close_end(&c.ours[i]);
        close_end(&c.theirs[i]);
    }
    close_end(&c.end_fd);
}

bool child_can_run(const char *program)
{
    const char *path = getenv("PATH");
    if (strchr(program, '/') || !path)
        return access(program, X_OK) == 0;
    for (size_t size; *path; path += size + (path[size] == ':')) {
        char full[4096];
        size = strcspn(path, ":");
        int length = snprintf(full, sizeof full, "%.*s/%s", (int)size, path, program);
        if (length > 0 && (size_t)length < sizeof full && access(full, X_OK) == 0)
            return true;
    }
    return false;
}
