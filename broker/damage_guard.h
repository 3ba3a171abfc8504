/* damage_guard: for `--check`: a store so damaged that reading it is a wild jump through memory. */
#ifndef SHUNT_BROKER_DAMAGE_GUARD_H
#define SHUNT_BROKER_DAMAGE_GUARD_H

/* From now on SIGSEGV, SIGBUS, and seconds of the processor's time without a row that was checked end the
 * process with EXIT_CODE_DATA and one line that names `dir`, which must live until then. Not for a server:
 * there a signal may as well be a bug, and its core is worth more. */
void damage_guard(const char *dir);

#endif
