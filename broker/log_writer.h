/* log_writer: a thread that writes log lines, so that no other thread waits for the reader of the log.
 *
 * A pipe, a terminal or a socket is read by somebody, and a reader that hangs (a log driver, a collector, a
 * stopped terminal) makes write() wait without end. So lines wait here, at most LOG_WAITING_BYTES_MAX of
 * them; those for which there is no room are dropped and counted. Once half of the room is free again, one
 * line (event=log_lines_dropped) stands in the place of all that were. A line is written whole, by one
 * write(). The descriptor is not made non-blocking, because it is shared with the process that started the server.
 */
#ifndef SHUNT_BROKER_LOG_WRITER_H
#define SHUNT_BROKER_LOG_WRITER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_WAITING_BYTES_MAX (256u * 1024)
#define LOG_FLUSH_MS          1000 /* that the end of the process waits for lines to be written */

struct log_writer;

/* Start its thread. `fd` must stay open until log_writer_stop(). fails: NO_MEMORY, IO (no thread). */
int log_writer_start(int fd, struct log_writer **ret);
/* Take a line (with its newline); any thread; never waits for `fd`. */
void log_writer_put(struct log_writer *w, const char *line, size_t size);
/* Wait until all lines put before are written, `ms` at most. False if some are not. */
bool log_writer_flush(struct log_writer *w, int64_t ms);
/* Flush, end the thread and free it. If lines are still not written after `ms`, both are left behind, because
 * the process is about to end. Takes NULL. */
void log_writer_stop(struct log_writer *w, int64_t ms);
/* How many lines were not written; lives as long as the writer. */
const _Atomic uint64_t *log_writer_dropped(const struct log_writer *w);

#endif
