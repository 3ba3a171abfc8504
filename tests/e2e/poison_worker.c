/* poison_worker: a worker whose handler runs in this process and does what the message says.
 *
 *   poison_worker TOPIC LOG MARKS PREFETCH         MARKS: yes or no
 *
 * A body that begins with `poison` makes it write through a null pointer; `hang` makes it wait for ever;
 * `clumsy` is nacked at the first attempt; anything else is acked. Before any of that, one line goes to LOG:
 *
 *   WHAT SEQ ATTEMPTS DELIVERIES PID
 *
 * Ends with 0 when the group is drained, 1 after an error, 64 for usage, or as the message wants it.
 */
#include "client/shunt.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define CLOSE_MS 10000

static const char *const tricks[] = {"poison", "hang", "clumsy"};

/* The trick that the body asks for, or "ack". */
static const char *trick_of(const struct shunt_delivery *d)
{
    size_t bytes;
    const char *body = shunt_delivery_body(d, &bytes);
    for (size_t i = 0; i < sizeof tricks / sizeof *tricks; i++) {
        size_t length = strlen(tricks[i]);
        if (bytes >= length && memcmp(body, tricks[i], length) == 0)
            return tricks[i];
    }
    return "ack";
}

/* Straight into the file, for nothing buffered outlives a crash. */
static void note(int log, const char *what, const struct shunt_delivery *d)
{
    int written = dprintf(log, "%s %llu %u %u %ld\n", what, (unsigned long long)shunt_delivery_seq(d),
                          shunt_delivery_attempts(d), shunt_delivery_deliveries(d), (long)getpid());
    if (written < 0)
        _exit(1); /* a test that cannot see is over */
}

static enum shunt_outcome handle(void *context, const struct shunt_delivery *d, struct shunt_verdict *v)
{
    /* Both volatile: the compiler may neither know that it is null nor leave the write out. */
    volatile int *volatile nowhere = NULL;
    const char *trick = trick_of(d);
    (void)v;
    note(*(const int *)context, trick, d);
    if (strcmp(trick, "poison") == 0)
        *nowhere = 1;
    while (strcmp(trick, "hang") == 0)
        (void)pause();
    return strcmp(trick, "clumsy") == 0 && shunt_delivery_attempts(d) == 0 ? SHUNT_NACK : SHUNT_ACK;
}

static int work(char **argv, int log, struct shunt_error *err)
{
    struct shunt *s = NULL;
    struct shunt_options *of_handle = shunt_options_new(), *of_worker = shunt_options_new();
    int code = of_handle && of_worker ? 0 : SHUNT_NO_MEMORY;
    if (code == 0)
        code = shunt_options_set(of_handle, "marks", argv[3]);
    if (code == 0)
        code = shunt_options_set(of_worker, "prefetch", argv[4]);
    if (code == 0)
        code = shunt_options_set(of_worker, "drain", "yes");
    if (code == 0)
        code = shunt_open(getenv("SHUNT_URL"), of_handle, &s, err);
    if (code == 0)
        code = shunt_worker_run(s, argv[1], NULL, of_worker, handle, &log, err);
    shunt_close(s, CLOSE_MS);
    shunt_options_free(of_worker);
    shunt_options_free(of_handle);
    return code;
}

int main(int argc, char **argv)
{
    struct shunt_error err = {.text = "no memory"};
    struct rlimit no_core = {0, 0};
    if (argc != 5) {
        (void)fprintf(stderr, "usage: poison_worker TOPIC LOG MARKS PREFETCH\n");
        return 64;
    }
    (void)setrlimit(RLIMIT_CORE, &no_core); /* it saves time, no more */
    int log = open(argv[2], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log < 0) {
        perror("poison_worker: log");
        return 1;
    }
    int code = work(argv, log, &err);
    if (code != 0)
        (void)fprintf(stderr, "poison_worker: %s\n", err.text);
    (void)close(log); /* each line was written at once */
    return code == 0 ? 0 : 1;
}
