/* child_exec: has a child become another program? exec() closes its socket, and tells nobody. While it runs,
 * the kernel's words to a program at its start (auxv), which fork() copies and exec() makes anew, differ from
 * ours; of one that has ended, its name is left. */
#include "client/worker/child.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AUXV_BYTES 2048

/* Returns how much was read; 0 if nothing can be. */
static size_t read_of(pid_t pid, const char *what, char *to, size_t room)
{
    char path[64];
    size_t used = 0;
    ssize_t n = 1;

    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && used < room && (n = read(fd, to + used, room - used)) > 0)
        used += (size_t)n;
    if (fd >= 0)
        (void)close(fd); /* it was only read */
    return used;
}

bool child_look_at_exec(struct child *c)
{
    char own[AUXV_BYTES], its[AUXV_BYTES], name[CHILD_NAME_BYTES] = "";
    size_t own_bytes = read_of(getpid(), "auxv", own, sizeof own);
    size_t its_bytes = read_of(c->pid, "auxv", its, sizeof its);
    size_t name_bytes = read_of(c->pid, "comm", name, sizeof name);

    if (name_bytes == 0 || own_bytes == 0)
        return false;
    name[name_bytes - 1] = '\0'; /* in place of the newline */
    if (its_bytes > 0)
        c->became = own_bytes != its_bytes || memcmp(own, its, own_bytes) != 0;
    else
        c->became = c->page->name[0] != '\0' && strncmp(name, c->page->name, sizeof c->page->name) != 0;
    if (c->became)
        memcpy(c->program, name, sizeof c->program);
    return c->became;
}
