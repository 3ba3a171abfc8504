/* broker: a real shuntd for one test, on a port of its own choosing and a directory that is removed
 * afterwards. */
#ifndef SHUNT_TESTS_BROKER_H
#define SHUNT_TESTS_BROKER_H

#include <sys/types.h>

struct broker {
    char directory[64];
    char data[96];
    char listen[64]; /* "127.0.0.1:0" at first, then what it listens on */
    char url[400];
    pid_t pid;
};

/* Start the program named by the environment's SHUNTD; returns when it listens. With BROKER_CONFIG it gets that
 * file, and the url is shunts://, with BROKER_QUERY behind it: over_tls.py. */
void broker_start(struct broker *b);
/* kill -9, then start again on the same directory and port. */
void broker_kill(struct broker *b);
void broker_restart(struct broker *b);
/* Stop it and remove its directory. */
void broker_stop(struct broker *b);

#endif
