/* child: fork and exec, output to a file in its directory, which is read to learn when it is up. */
#include "bench/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/directory.h"

#define STOP_NS (20 * NS_PER_S)
#define LOOK_NS (2 * NS_PER_MS)

bool child_directory(struct child *c, const char *parent, char *why)
{
    if (!directory_make(parent, c->dir, why))
        return false;
    (void)snprintf(c->log, sizeof c->log, "%.200s/log", c->dir);
    return true;
}

_Noreturn static void become(const char *const argv[], const char *log)
{
    char *words[CHILD_WORDS_MAX + 1] = {0};
    for (int i = 0; i < CHILD_WORDS_MAX && argv[i]; i++)
        words[i] = strdup(argv[i]); /* exec wants them writable */
    int in = open("/dev/null", O_RDONLY);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setpgid(0, 0); /* what it starts is ended with it */
    if (in >= 0 && out >= 0 && dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(out, 2) >= 0)
        (void)execvp(words[0], words);
    (void)dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

bool child_start(struct child *c, const char *const argv[], char *why)
{
    (void)unlink(c->log);
    c->pid = fork();
    if (c->pid == 0)
        become(argv, c->log);
    if (c->pid < 0)
        (void)snprintf(why, WHY_BYTES, "fork: %s", strerror(errno));
    return c->pid > 0;
}

bool child_alive(struct child *c)
{
    if (c->pid > 0 && waitpid(c->pid, NULL, WNOHANG) == c->pid)
        c->pid = 0;
    return c->pid > 0;
}

/* True if the mark is there; `last` gets the last line before it or else of the file. */
static bool look(const struct child *c, const char *mark, char *last, size_t bytes)
{
    char line[1024];
    bool found = false;
    FILE *f = fopen(c->log, "re");
    if (!f)
        return false;
    while (!found && fgets(line, sizeof line, f)) {
        found = strstr(line, mark) != NULL;
        if (line[0] != '\n')
            (void)snprintf(last, bytes, "%s", line);
    }
    (void)fclose(f);
    return found;
}

bool child_wait_for(struct child *c, const char *mark, unsigned seconds, char *ret_line, size_t line_bytes,
                    char *why)
{
    char line[1024] = "(it said nothing)";
    uint64_t give_up_ns = clock_ns() + seconds * NS_PER_S;
    for (;;) {
        bool alive = child_alive(c);
        if (look(c, mark, line, sizeof line)) {
            if (ret_line)
                (void)snprintf(ret_line, line_bytes, "%s", line);
            return true;
        }
        if (!alive || clock_ns() > give_up_ns) {
            line[strcspn(line, "\n")] = 0;
            (void)snprintf(why, WHY_BYTES, "the server did not come up: %.240s", line);
            return false;
        }
        clock_sleep_ns(LOOK_NS);
    }
}

void child_stop(struct child *c, bool kill_it)
{
    uint64_t give_up_ns = clock_ns() + STOP_NS;
    pid_t group = c->pid;
    if (c->pid > 0)
        (void)kill(c->pid, kill_it ? SIGKILL : SIGTERM);
    while (child_alive(c)) {
        clock_sleep_ns(LOOK_NS);
        if (clock_ns() > give_up_ns)
            (void)kill(c->pid, SIGKILL);
    }
    if (group > 0)
        (void)kill(-group, SIGKILL); /* mostly there is nobody left */
}

void child_done(struct child *c)
{
    child_stop(c, false);
    directory_remove(c->dir);
    c->dir[0] = 0;
}
