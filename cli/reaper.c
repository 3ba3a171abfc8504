/* reaper: see reaper.h. */
#include "cli/reaper.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

bool reaper_needed(void)
{
    int subreaper = 0;
    return getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &subreaper) == 0 && subreaper);
}

void reaper_turn(bool (*is_ours)(const void *context, pid_t pid), const void *context)
{
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == 0)
            return;
        if (is_ours(context, info.si_pid))
            return;
        (void)waitpid(info.si_pid, NULL, WNOHANG);
    }
}
