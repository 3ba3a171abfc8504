/* check: how a broken invariant ends the process. Uses only write(2), because the heap may be what is
 * broken, and only once, so that the line is whole. */
#include "base/check.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define LINE_BYTES_MAX 1024
#define SAY_SECONDS    2 /* that the line may take */

static void add(char line[LINE_BYTES_MAX], size_t *size, const char *text)
{
    size_t more = strlen(text);
    if (more > LINE_BYTES_MAX - *size)
        more = LINE_BYTES_MAX - *size;
    memcpy(line + *size, text, more);
    *size += more;
}

_Noreturn void check_failed(const char *what, const char *file, int line)
{
    char number[16];
    size_t at = sizeof number;
    number[--at] = 0;
    for (unsigned n = (unsigned)line; n && at; n /= 10)
        number[--at] = (char)('0' + n % 10);
    char said[LINE_BYTES_MAX];
    size_t size = 0;
    add(said, &size, "level=fatal event=bug check=\"");
    add(said, &size, what);
    add(said, &size, "\" at=");
    add(said, &size, file);
    add(said, &size, ":");
    add(said, &size, number + at);
    add(said, &size, "\n");
    /* If nobody reads standard error, the alarm ends the process. */
    (void)signal(SIGALRM, SIG_DFL); /* fails only for a number that does not exist */
    (void)alarm(SAY_SECONDS);
    ssize_t written = write(STDERR_FILENO, said, size);
    (void)written; /* nothing can be done if even this fails */
    abort();
}
