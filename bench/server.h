/* server: the shuntd under load: started here, or one that runs already. */
#ifndef SHUNT_BENCH_SERVER_H
#define SHUNT_BENCH_SERVER_H

#include <stdint.h>

#include "bench/child.h"

struct shunt;

/* With the files that it names, as long as paths may be. */
#define SERVER_URL_BYTES (16u * 1024)

struct server {
    struct child child; /* none: it was there before */
    char url[SERVER_URL_BYTES];
    pid_t pid; /* 0: not known, then its processor time and memory are not either */
    char program[CHILD_PATH_BYTES];
    char config[CHILD_PATH_BYTES]; /* "": none */
    struct shunt *control;
};

/* The program to start: $SHUNTD, or that beside this one (as installed, or as built), or in PATH. Static. */
const char *server_program(void);
/* Start `program` in a new directory in `parent`. */
bool server_start(struct server *s, const char *program, const char *config, const char *parent, char *why);
/* Use the one at `url`. */
bool server_join(struct server *s, const char *url, pid_t pid, char *why);
/* Kill it and start it again on the same directory. Returns when it listens. */
bool server_restart(struct server *s, bool kill, char *why);
/* The same, and it has no journal any more: all that it has is in the store. */
bool server_end_journal(struct server *s, char *why);
void server_done(struct server *s);

/* The topic `name` is made anew, with these settings (NULL: none), as key and value in turn, ended by NULL.
 */
bool server_topic(struct server *s, const char *name, const char *const *settings, char *why);
bool server_group(struct server *s, const char *topic, const char *group, char *why);
/* A number of its statistics; 0 if it is not there. */
uint64_t server_figure(struct server *s, const char *name);
/* Bytes of the pages that its store uses. */
uint64_t server_store_bytes(struct server *s);

#endif
