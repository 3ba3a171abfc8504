/* slow_worker: handlers that take a time, in children.
 *
 *   slow_worker TOPIC CHILDREN MS    until the group has nothing left
 *
 * Prints how many milliseconds the work took. Exit status: 0, 1 after an error, 64 usage. */
#include "client/shunt.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long long now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* there is one */
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static enum shunt_outcome handle(void *context, const struct shunt_delivery *d, struct shunt_verdict *v)
{
    const struct timespec *work = context;
    (void)d;
    (void)v;
    (void)nanosleep(work, NULL); /* a signal ends it early: the worker stops then */
    return SHUNT_ACK;
}

static int work(struct shunt *s, char **words, struct shunt_options *options, struct shunt_error *err)
{
    struct timespec work = {.tv_nsec = strtol(words[2], NULL, 10) * 1000000};
    int code = shunt_options_set(options, "isolation", "fork");
    code = code ? code : shunt_options_set(options, "workers", words[1]);
    code = code ? code : shunt_options_set(options, "drain", "yes");
    return code ? code : shunt_worker_run(s, words[0], "default", options, handle, &work, err);
}

int main(int argc, char **argv)
{
    struct shunt *s;
    struct shunt_error err = {0};
    struct shunt_options *options = shunt_options_new();
    if (argc != 4 || !options)
        return 64;
    int code = shunt_open(getenv("SHUNT_URL"), NULL, &s, &err);
    if (code == 0) {
        long long begun_ms = now_ms();
        code = work(s, argv + 1, options, &err);
        printf("%lld\n", now_ms() - begun_ms);
        shunt_close(s, 10000);
    }
    if (code)
        fprintf(stderr, "slow_worker: %s\n", err.text[0] ? err.text : shunt_error_text(code));
    shunt_options_free(options);
    return code ? 1 : 0;
}
