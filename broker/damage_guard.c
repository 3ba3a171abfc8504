/* damage_guard: LMDB follows offsets and page numbers as it finds them in the file. Most damage it notices,
 * some makes it read where nothing is mapped, or beyond the end of the file. In a process that only reads a
 * store, that is what such a signal means. */
#include "broker/damage_guard.h"

#include "broker/exit_code.h"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static char line[4400];
static size_t line_bytes;

static void on_signal(int number)
{
    (void)number;
    (void)!write(STDERR_FILENO, line, line_bytes); /* nobody is left to tell */
    _exit(EXIT_CODE_DATA);
}

void damage_guard(const char *dir)
{
    struct sigaction action = {.sa_handler = on_signal};
    int size =
        snprintf(line, sizeof line,
                 "shuntd: the store in %.4096s is damaged: its pages point to where nothing is: restore it "
                 "from a backup\n",
                 dir);
    line_bytes = size > 0 ? (size_t)size : 0;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGSEGV, &action, NULL); /* these cannot fail for a signal that there is */
    (void)sigaction(SIGBUS, &action, NULL);
}
