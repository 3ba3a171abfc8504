/* check: what must hold whatever the network, the disk or the user does. On in production: a bug stops the
 * server before it can spread, and a restart recovers from disk. */
#ifndef SHUNT_BASE_CHECK_H
#define SHUNT_BASE_CHECK_H

/* Writes one line to standard error and aborts. */
_Noreturn void check_failed(const char *what, const char *file, int line);

#define check(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            check_failed(#condition, __FILE__, __LINE__);                                                    \
    } while (0)

#endif
