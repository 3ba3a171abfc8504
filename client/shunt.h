/* shunt.h: the C client of the shunt message broker.
 *
 * A `struct shunt` is one connection to a broker, with everything that waits to be sent or answered. It connects when a
 * connection is first needed, reconnects by itself with full-jitter exponential back-off, and after a reconnect sends
 * unconfirmed publishes again; the broker stores each of them once.
 *
 * Two ways to drive it:
 *   blocking    each call below that takes `timeout_ms` does its own waiting;
 *   event loop  wait until shunt_fd() is readable, then call shunt_process(); use the calls named *_async, and shunt_next()
 *               with 0. Each of them is told its end within the option `request-timeout`.
 *
 * Callbacks are made from inside shunt_process() and the calls that take a timeout (shunt_close() included), never from an
 * *_async call. A callback may use every function of the handle except shunt_close(); a blocking function makes further
 * callbacks meanwhile. Each callback is made exactly once.
 *
 * Timeouts are milliseconds from the call; 0 does only what is possible at once, SHUNT_FOREVER waits without end. They travel with the
 * request: the broker does not begin with one whose time is over, and what a call that failed with TIMEOUT asked for does not happen later, unless the broker
 * had begun with it in time (or is too old to be told). DEADLINE_EXCEEDED instead of TIMEOUT says that nothing was done. The same holds for the option `request-timeout`
 * and publishes. Answers to deliveries and what gives them back have no such limit.
 *
 * Errors: a call that can fail returns 0 or a code of enum shunt_err, and fills in `err` unless it is NULL. Results go
 * to ret_ parameters, which stay untouched on failure. Strings and bytes passed in are copied before the call returns
 * unless its comment says otherwise. A name may be NULL only if the comment says what NULL means (otherwise
 * BAD_ARGUMENT); handles, deliveries and ret_ parameters only if it says that they may.
 *
 * What is tried again: connections, after random waits up to a growing bound; publishes without an answer, which go out again with the
 * next connection and are stored once; subscriptions. None of these is limited, because nothing may be lost. Calls that only look are
 * asked again if the connection was lost with them, and any call if the broker refused it for what passes by itself (SHUTTING_DOWN,
 * UNAVAILABLE, NOT_LEADER), as long as the call has time; these are at most a share of all calls (the option `retry-budget`), so that a
 * broker in trouble is not asked much more than before. What is over that ends with its error, as do publishes that the
 * broker refused. If the broker says how long it wants to be left alone, new attempts and, after NO_SPACE and TOO_MANY, new publishes wait that long and a
 * random time on top: see shunt_retry_after().
 *
 * Threads: a handle and what comes from it (consumers, deliveries, messages under way) belong to one thread at a time. Different
 * handles may be used in different threads at once. Options, messages and values belong to no handle. The library starts no
 * threads, and has no state of its own but a count of forks. It never logs: see shunt_on_event().
 *
 * Signals: only shunt_worker_stop() may be called from a signal handler. A signal interrupts no call (EINTR is taken up
 * again), SIGPIPE is never raised, and no handler is installed, except by shunt_worker_run() while it runs.
 *
 * fork(): a handle belongs to the process that opened it. In a forked process its copy makes no callbacks, calls that
 * would use the connection fail with CLOSED, and shunt_close() only frees. Open another there. (vfork() and clone() go unnoticed.)
 * All descriptors are closed by exec().
 *
 * C++ exceptions: one that leaves a callback leaves the call that made it, and the handle stays usable; one that leaves a
 * worker's handler rejects the message. In C++, shunt.hpp does the closing and freeing.
 *
 * Limits: a body 16 MiB (the broker may take less), a key 256 bytes, 64 headers with names of 256 bytes and values of 4 KiB,
 * 32 KiB of them together; names of topics and groups 100 bytes; 1,024 subscriptions on a handle; a handle's window 4,096 messages
 * and 64 MiB unless its options say otherwise. What is beyond is TOO_LARGE, BAD_NAME, TOO_MANY or BUSY. Nothing is cut except texts of failures.
 *
 * What stays: a program that was linked with libshunt.so.N runs with every later libshunt.so.N, and one that was compiled with these
 * headers compiles with later ones of the same N. Functions, numbers of errors, and the names and meanings of options and of keys in
 * values stay; new ones come. A struct with a member `size` grows at its end, the other structs never change (struct shunt_error,
 * shunt_failure, shunt_setting). Not promised: the texts of errors and events, which are for people, and more kinds of either. Before
 * version 1.0, N may rise with a minor version (0.1 to 0.2).
 */
#ifndef SHUNT_H
#define SHUNT_H

#include "shunt_admin.h"      /* values; topics, groups, dead letters, jobs, statistics */
#include "shunt_connection.h" /* options; shunt_open(), shunt_close(), shunt_process() */
#include "shunt_consumer.h"   /* subscriptions, deliveries, ack and nack */
#include "shunt_error.h"      /* struct shunt_error; versions */
#include "shunt_message.h"    /* messages, shunt_publish() */
#include "shunt_units.h"      /* durations, sizes, times as text */
#include "shunt_worker.h"     /* shunt_worker_run() */

#endif
