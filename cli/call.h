/* call: one run of one command: what the command line said, the connection, and how to speak to people. */
#ifndef SHUNT_CLI_CALL_H
#define SHUNT_CLI_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/exit.h"
#include "cli/options.h"

struct command;
struct shunt;
struct shunt_error;
struct sink;

enum call_form { FORM_TABLE, FORM_JSON, FORM_JSONL };

struct call {
    const struct command *command;
    struct options options;
    enum call_form form;
    bool quiet;         /* no progress and no summaries; errors are still told */
    int64_t timeout_ms; /* of one call to the broker */
    const char *url;
    const char *producer; /* what numbers its messages itself is known by; NULL: the library numbers */
    const char *because;  /* NULL: it was not said */
    const char *group; /* as an id of the command line names it; NULL: none does, -g or the default says it */
    char *owned;       /* what such names are cut from; call_disconnect() frees it */
    struct shunt *shunt; /* NULL until call_connect() */
};

/* Connect. Returns EXIT_OK, or the exit code after telling why not. */
int call_connect(struct call *call);

/* Say goodbye and end the connection. Callbacks that are still owed run now, so code that lent a context to one
 * calls this before that context goes. */
void call_disconnect(struct call *call);

/* Is this what passes when the library has connected again? */
bool call_is_outage(int shunt_code);
/* Tell when the connection is lost or there again; `*connected` is how it was. */
void call_tell_connection(const struct call *call, bool *connected);
/* Tell that an answer to a delivery had no effect, or that nobody knows. */
void call_tell_lost_answer(const struct shunt_error *err);

/* Tell the error and return the exit code that goes with it. */
int call_failed(const struct call *call, const struct shunt_error *err);
/* The exit code alone. */
int call_exit_code(const struct call *call, const struct shunt_error *err);

/* Say that the command line is wrong; returns EXIT_USAGE. */
int call_misused(const struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* From now on lines go to this sink instead of stderr; NULL: as before. For commands that must not wait for
 * the reader of stderr. */
void call_speak_to(struct sink *sink);

/* One line on stderr, `shunt: …`: a complaint always, a note unless -q. */
void call_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void call_note(const struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Word `i` of the command line; NULL past the last. */
const char *call_word(const struct call *call, size_t i);
/* The group named by -g, else by an id, else "default". */
const char *call_group(const struct call *call);

/* Flush stdout: EXIT_FAILED with a complaint if what was printed could not be written, else `code`. */
int call_end_output(int code);

/* `plural(1, "message", "messages")`. */
const char *call_plural(uint64_t count, const char *one, const char *many);

#endif
