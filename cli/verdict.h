/* verdict: what a plug-in of a monitoring system says: how bad it is, what the problems are, and some numbers. */
#ifndef SHUNT_CLI_VERDICT_H
#define SHUNT_CLI_VERDICT_H

#include <stddef.h>
#include <stdint.h>

#include "cli/call.h"

/* From good to bad: the worst counts. */
enum verdict_level { LEVEL_OK, LEVEL_UNKNOWN, LEVEL_WARNING, LEVEL_CRITICAL };

/* The exit codes of a plug-in, as Nagios and its heirs read them. */
#define VERDICT_CODE_UNKNOWN 3

/* How old something is and may be, ms; -1: there is none. */
struct verdict_age {
    int64_t ms, warn_ms, crit_ms;
};

struct verdict_problem {
    enum verdict_level level;
    const char *what;    /* one word, for programs; static */
    char *topic, *group; /* NULL: of the whole broker */
    char text[512];
};

struct verdict {
    enum verdict_level level;
    struct verdict_problem *problems;
    size_t count, capacity;
    struct verdict_age oldest; /* the dead letter furthest beyond its limit */
    uint64_t groups, dead, unattended, ready, in_flight, delayed;
};

void verdict_init(struct verdict *v);
void verdict_done(struct verdict *v);

/* Add a problem. `topic` and `group` may be NULL; both are copied. Without memory the words are lost, never the level. */
void verdict_add(struct verdict *v, enum verdict_level level, const char *what, const char *topic,
                 const char *group, const char *format, ...) __attribute__((format(printf, 6, 7)));
/* Remember the age if it is further beyond its limit than all before. */
void verdict_note_age(struct verdict *v, const struct verdict_age *age);

/* One line for people, the worst problem first, with a plug-in's numbers behind the bar. */
void verdict_print_line(struct verdict *v);
void verdict_print_json(struct verdict *v, enum call_form form);
/* What to exit with. */
int verdict_code(const struct verdict *v);

#endif
