/* check: a condition that does not hold ends the process with one line. */
#include "base/check.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child that runs check(false) writes to standard error. */
static int said_by_child(char *to, size_t room)
{
    int ends[2], status = 0;
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        check(1 + 1 == 3);
        _exit(0);
    }
    (void)close(ends[1]);
    size_t size = 0;
    for (ssize_t got; size < room - 1 && (got = read(ends[0], to + size, room - 1 - size)) > 0;)
        size += (size_t)got;
    to[size] = '\0';
    (void)close(ends[0]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

Test(check, what_does_not_hold_aborts_and_says_what_and_where)
{
    char said[2048];
    int status = said_by_child(said, sizeof said);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    cr_expect(strstr(said, "event=bug check=\"1 + 1 == 3\" at="), "%s", said);
    cr_expect(strstr(said, "test_check.c:"), "%s", said);
    cr_expect_eq(strchr(said, '\n'), said + strlen(said) - 1, "one line");
}

Test(check, what_holds_goes_on)
{
    check(1 + 1 == 2);
}
