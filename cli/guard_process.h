/* guard_process: what runs in the process of a guard; see guard.h. */
#ifndef SHUNT_CLI_GUARD_PROCESS_H
#define SHUNT_CLI_GUARD_PROCESS_H

struct guard_spec;

/* What a guard tells on its line: first BEGUN (the command's pid) or FAILED (errno), then ENDED (a status of
 * waitpid()). What the worker says there is the number of a signal, an int. */
enum guard_kind { GUARD_BEGUN = 1, GUARD_FAILED, GUARD_ENDED };

struct guard_report {
    enum guard_kind kind;
    int value;
};

/* In a fresh copy of the worker. */
_Noreturn void guard_process_run(const struct guard_spec *spec, int line);

#endif
