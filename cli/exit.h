/* exit: the codes the tool ends with; scripts rely on them. */
#ifndef SHUNT_CLI_EXIT_H
#define SHUNT_CLI_EXIT_H

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_PARTLY = 2,       /* some of it took effect, some did not */
    EXIT_NOTHING = 3,      /* nothing matched */
    EXIT_USAGE = 64,       /* a command, option or value that is not valid; EX_USAGE of sysexits.h */
    EXIT_REJECT = 65,      /* what a COMMAND of `work` says to reject a message; EX_DATAERR */
    EXIT_UNREACHABLE = 69, /* EX_UNAVAILABLE */
    EXIT_NOT_NOW = 75,     /* `work --drain` met a paused group; EX_TEMPFAIL */
    EXIT_DENIED = 77       /* EX_NOPERM */
};

#endif
