/* damage_guard: LMDB follows offsets and page numbers as it finds them in the file. Most damage it notices,
 * some makes it read where nothing is mapped, or beyond the end of the file; and with a page that says it has
 * fewer than no keys its search goes round for ever. In a process that only reads a store, that is what such
 * a signal, or such a wait, means. Time is that of the processor: a slow disk is no damage.
 */
#include "broker/damage_guard.h"

#include "broker/check.h"
#include "broker/exit_code.h"
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#define ROW_SECONDS_MAX 5 /* a row takes microseconds */

static char line[4400];
static size_t line_bytes;
static uint64_t rows_before;

static void give_up(int number)
{
    (void)number;
    (void)!write(STDERR_FILENO, line, line_bytes); /* nobody is left to tell */
    _exit(EXIT_CODE_DATA);
}

static void on_time(int number)
{
    uint64_t rows = atomic_load(&check_rows_read);
    if (rows == rows_before)
        give_up(number);
    rows_before = rows;
}

void damage_guard(const char *dir)
{
    struct sigaction end = {.sa_handler = give_up}, look = {.sa_handler = on_time, .sa_flags = SA_RESTART};
    struct itimerval every = {{ROW_SECONDS_MAX, 0}, {ROW_SECONDS_MAX, 0}};
    int size =
        snprintf(line, sizeof line,
                 "shuntd: the store in %.4096s is damaged: its pages point to where nothing is: restore it "
                 "from a backup\n",
                 dir);
    line_bytes = size > 0 ? (size_t)size : 0;
    (void)sigemptyset(&end.sa_mask);
    (void)sigemptyset(&look.sa_mask);
    (void)sigaction(SIGSEGV, &end, NULL); /* none of these can fail for a signal or timer that there is */
    (void)sigaction(SIGBUS, &end, NULL);
    (void)sigaction(SIGVTALRM, &look, NULL);
    (void)setitimer(ITIMER_VIRTUAL, &every, NULL);
}
