/* prompt: asks on stderr, hears on stdin, and only where both are a person's. */
#include "cli/prompt.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cli/call.h"

static bool hear_yes(void)
{
    char answer[16] = "";
    if (!fgets(answer, sizeof answer, stdin))
        return false;
    return strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0;
}

int prompt_confirm(const struct call *call, const char *format, ...)
{
    char what[600];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments); /* cut where too long */
    va_end(arguments);
    utf8_mend(what);
    utf8_flatten(what, strlen(what));
    if (options_flag(&call->options, "yes")) {
        call_note(call, "%s", what);
        return EXIT_OK;
    }
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        call_complain("%s", what);
        call_complain("nothing was changed: there is no terminal to ask on; say -y to go ahead");
        return EXIT_USAGE;
    }
    (void)fprintf(stderr, "shunt: %s\nGo on? [y/N] ", what);
    (void)fflush(stderr);
    if (hear_yes())
        return EXIT_OK;
    call_complain("nothing was changed");
    return EXIT_FAILED;
}
