/* exit_code: what shuntd's exit status says; the manual page has the same list. 64 to 78 follow sysexits.h.
 */
#ifndef SHUNT_BROKER_EXIT_CODE_H
#define SHUNT_BROKER_EXIT_CODE_H

enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_PROBLEMS = 1,       /* --check found something wrong; --export could not read all */
    EXIT_CODE_USAGE = 64,         /* the command line */
    EXIT_CODE_DATA = 65,          /* the store is truncated or damaged */
    EXIT_CODE_NO_STORE = 66,      /* --check, --backup, --export: there is no store */
    EXIT_CODE_ADDRESS_TAKEN = 69, /* an address to listen on is taken or is not this machine's */
    EXIT_CODE_BUG = 70,
    EXIT_CODE_SYSTEM = 71,    /* no memory, no thread, no descriptor */
    EXIT_CODE_READ_ONLY = 73, /* the data directory cannot be made or written */
    EXIT_CODE_IO = 74,      /* the disk fails; at run time: durability was in doubt, so the server stopped */
    EXIT_CODE_LOCKED = 75,  /* another process uses the data directory */
    EXIT_CODE_VERSION = 76, /* the store is of a newer version, or of one too old */
    EXIT_CODE_NOT_PERMITTED = 77, /* not allowed to listen on that address */
    EXIT_CODE_CONFIG = 78,        /* the configuration file */
    EXIT_CODE_NO_SPACE = 79,      /* the disk is full */
    EXIT_CODE_CUT_SHORT = 80,     /* a second signal, or the stop took too long; what was confirmed is safe */
};

/* The exit status for an error of the store or the engine. */
int exit_code_of(int err);

#endif
