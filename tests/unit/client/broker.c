/* broker: see broker.h. */
#include "broker.h"
#include <criterion/criterion.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void run(const struct broker *b, int err_fd)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* no broker outlives its test */
    (void)dup2(err_fd, STDERR_FILENO);
    const char *config = getenv("BROKER_CONFIG");
    execl(getenv("SHUNTD"), "shuntd", "--listen", b->listen, "--http", "127.0.0.1:0", "--data", b->data,
          config ? "--config" : (char *)NULL, config, (char *)NULL);
    _exit(127);
}

/* Read its log until it says where it listens. */
static void read_address(struct broker *b, FILE *log)
{
    char line[1024], all[4096] = "";
    while (fgets(line, sizeof line, log)) {
        const char *at = strstr(line, " listen=");
        if (strlen(all) + strlen(line) < sizeof all)
            strcat(all, line);
        if (strstr(line, "event=listening") && at) {
            cr_assert_eq(sscanf(at, " listen=%63s", b->listen), 1);
            const char *query = getenv("BROKER_QUERY");
            (void)snprintf(b->url, sizeof b->url, "shunt%s://%s%s", query ? "s" : "", b->listen,
                           query ? query : "");
            return;
        }
    }
    cr_assert_fail("shuntd did not start: %s", all);
}

static void launch(struct broker *b)
{
    int pipe_fds[2];
    cr_assert_eq(pipe(pipe_fds), 0);
    b->pid = fork();
    cr_assert_geq(b->pid, 0);
    if (b->pid == 0)
        run(b, pipe_fds[1]);
    (void)close(pipe_fds[1]);
    FILE *log = fdopen(pipe_fds[0], "r");
    read_address(b, log); /* the stream stays open: a closed one would stop the broker at its next line */
}

void broker_start(struct broker *b)
{
    cr_assert_not_null(getenv("SHUNTD"), "SHUNTD names the broker's program");
    strcpy(b->directory, "/tmp/shunt-client-XXXXXX");
    cr_assert_not_null(mkdtemp(b->directory));
    (void)snprintf(b->data, sizeof b->data, "%s/data", b->directory);
    strcpy(b->listen, "127.0.0.1:0");
    launch(b);
}

void broker_kill(struct broker *b)
{
    (void)kill(b->pid, SIGKILL);
    cr_assert_eq(waitpid(b->pid, NULL, 0), b->pid);
}

void broker_restart(struct broker *b)
{
    launch(b);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void broker_stop(struct broker *b)
{
    broker_kill(b);
    (void)nftw(b->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS); /* what is left over is in /tmp */
}
