/* notify: telling systemd how the server is doing: datagrams to the socket that $NOTIFY_SOCKET names
 * (sd_notify(3)). */
#ifndef SHUNT_BROKER_NOTIFY_H
#define SHUNT_BROKER_NOTIFY_H

#include <stdint.h>

/* Send `state`, as in "READY=1". Does nothing if nobody asked to be told. A lost datagram is not an error:
 * the service manager has its own timeouts. */
void notify_send(const char *state);

/* RELOADING=1 with the time that goes with it. */
void notify_reloading(void);

/* How often the service manager wants to hear WATCHDOG=1 from this process (ms); 0 if it does not. */
int64_t notify_watchdog_ms(void);

#endif
