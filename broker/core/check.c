/* check: how a broken invariant ends the process. Uses write(2) alone, for the heap may be what is broken. */
#include "broker/core/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(const char *text)
{
    /* Nothing can be done if even this fails. */
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return;
}

_Noreturn void check_failed(const char *what, const char *file, int line)
{
    char number[16];
    size_t at = sizeof number;
    number[--at] = 0;
    for (unsigned n = (unsigned)line; n && at; n /= 10)
        number[--at] = (char)('0' + n % 10);
    say("level=fatal event=bug check=\"");
    say(what);
    say("\" at=");
    say(file);
    say(":");
    say(number + at);
    say("\n");
    abort();
}
