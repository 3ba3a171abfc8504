/* facts: what the server told its clients, as a trace shows it. Each answer and each delivery is a fact that
 * must hold from the moment in which it was sent, whatever happens to the machine. */
#ifndef SHUNT_TESTS_CRASH_FACTS_H
#define SHUNT_TESTS_CRASH_FACTS_H

#include "tests/crash/snapshot.h"
#include "tests/crash/trace.h"

enum fact_kind {
    FACT_TOPIC,     /* it exists */
    FACT_PUBLISHED, /* the message is there, with this body, unless somebody asked for its end */
    FACT_DELIVERED, /* its hand-outs are at least this many */
    FACT_CHARGED,   /* its failed attempts are at least this many */
    FACT_DEAD,      /* it is dead, or was brought back */
    FACT_DONE,      /* it is gone */
    FACT_JOB,       /* the job is known */
};

struct fact {
    enum fact_kind kind;
    size_t record;    /* when it was said */
    size_t end_asked; /* PUBLISHED: when a client first asked for its end; SIZE_MAX: nobody has */
    char topic[64];
    uint64_t seq; /* or the job's number */
    uint64_t generation, count;
    uint64_t body_hash;
};

struct facts {
    struct fact *all;
    size_t count, capacity;
    size_t answers; /* OKs that were sent */
};

/* False if the bytes on the connections are not what the protocol says. */
bool facts_read(const struct trace *t, struct facts *ret);
void facts_done(struct facts *f);

/* Does it hold in a store that shows what was written up to record `record`? */
bool fact_holds(const struct fact *f, const struct snapshot *s, size_t record);
/* For a message to a person; lives until the next call. */
const char *fact_text(const struct fact *f);

#endif
