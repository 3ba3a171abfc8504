/* signals: SIGINT, SIGTERM and SIGHUP as something to poll for, so that a long-running command can end well.
 */
#ifndef SHUNT_CLI_SIGNALS_H
#define SHUNT_CLI_SIGNALS_H

/* Block them and return a descriptor that is readable when one came; -1 with errno. A SIGHUP that was ignored
 * when we began (nohup) stays so. */
int signals_open(void);
/* The same, and readable too when a child of ours ends. */
int signals_open_with_children(void);
/* Close it; what comes from now on acts as before. */
void signals_close(int fd);
/* The next one that came, or 0. */
int signals_take(int fd);

#endif
