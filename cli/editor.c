/* editor: see editor.h. */
#include "cli/editor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/input.h"

static const char *chosen(void)
{
    const char *visual = getenv("VISUAL"), *editor = getenv("EDITOR");
    return visual && *visual ? visual : editor && *editor ? editor : "vi";
}

static int complain(const char *path)
{
    call_complain("%s: %s", path, strerror(errno));
    return EXIT_FAILED;
}

/* ---- the file */

static int write_all(int fd, const char *bytes, size_t count)
{
    while (count) {
        ssize_t wrote = write(fd, bytes, count);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -1;
        bytes += wrote;
        count -= (size_t)wrote;
    }
    return 0;
}

static int make_file(struct editor *e, const char *bytes, size_t count, const char *suffix)
{
    const char *dir = getenv("TMPDIR");
    int size =
        snprintf(e->path, sizeof e->path, "%s/shunt-edit-XXXXXX%s", dir && *dir ? dir : "/tmp", suffix);
    int fd = size > 0 && (size_t)size < sizeof e->path ? mkstemps(e->path, (int)strlen(suffix)) : -1;
    if (fd < 0) {
        int code = complain(e->path);
        e->path[0] = '\0'; /* there is none */
        return code;
    }
    int failed = write_all(fd, bytes, count);
    failed |= close(fd);
    return failed ? complain(e->path) : EXIT_OK;
}

void editor_keep(struct editor *e)
{
    free(e->bytes);
    *e = (struct editor){0};
}

void editor_forget(struct editor *e)
{
    if (e->path[0])
        (void)unlink(e->path);
    editor_keep(e);
}

/* ---- the editor */

/* The name of an editor is a command of the shell: `code --wait`. */
static void become(const char *editor, const char *path, const struct sigaction *interrupt,
                   const struct sigaction *quit)
{
    char command[1024];
    int size = snprintf(command, sizeof command, "%s \"$@\"", editor);
    (void)sigaction(SIGINT, interrupt, NULL);
    (void)sigaction(SIGQUIT, quit, NULL);
    if (size > 0 && (size_t)size < sizeof command)
        execl("/bin/sh", "sh", "-c", command, editor, path, (char *)NULL);
    _exit(127);
}

/* What the keyboard sends while it runs is for the editor. */
static int run_on(const char *editor, const char *path, int *ret_status)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt, quit;
    (void)sigaction(SIGINT, &ignore, &interrupt);
    (void)sigaction(SIGQUIT, &ignore, &quit);
    pid_t child = fork();
    if (child == 0)
        become(editor, path, &interrupt, &quit);
    pid_t ended = child;
    while (child > 0 && (ended = waitpid(child, ret_status, 0)) < 0 && errno == EINTR)
        ;
    (void)sigaction(SIGINT, &interrupt, NULL);
    (void)sigaction(SIGQUIT, &quit, NULL);
    return ended > 0 ? EXIT_OK : complain(editor);
}

static int judge(const char *editor, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return EXIT_OK;
    bool ended = WIFEXITED(status), found = !ended || WEXITSTATUS(status) != 127;
    call_complain("the editor `%s` %s %d: nothing is changed%s", editor,
                  ended ? "ended with exit code" : "was ended by signal",
                  ended ? WEXITSTATUS(status) : WTERMSIG(status),
                  found ? "" : "; set $VISUAL or $EDITOR to one that is there, or give --body-file");
    return EXIT_FAILED;
}

static int read_back(struct editor *e, const char *before, size_t count)
{
    struct input in = {0};
    errno = input_read(e->path, &in);
    if (errno)
        return complain(e->path);
    bool had_end = count && before[count - 1] == '\n';
    if (count && !had_end && in.count && in.bytes[in.count - 1] == '\n')
        in.count--;
    e->bytes = in.bytes;
    e->count = in.count;
    return EXIT_OK;
}

int editor_run(struct editor *e, const char *bytes, size_t count, const char *suffix)
{
    const char *editor = chosen();
    int status = 0;
    *e = (struct editor){0};
    int code = make_file(e, bytes, count, suffix);
    if (code == EXIT_OK)
        code = run_on(editor, e->path, &status);
    if (code == EXIT_OK)
        code = judge(editor, status);
    if (code == EXIT_OK)
        code = read_back(e, bytes, count);
    if (code)
        editor_forget(e);
    return code;
}
