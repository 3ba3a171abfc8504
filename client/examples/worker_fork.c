/* worker_fork: handlers in child processes. One that crashes, hangs or exits costs its message an attempt,
 * with an error that says where it happened, and costs nobody else anything.
 *
 *   worker_fork TOPIC [drain]
 *
 * Try it: publish the bodies `fine`, `crash`, `hang` and `exit`, and look at the dead letters (dlq.c, or
 * `shunt dlq show`). Exit status: 0 after a clean stop, 1 an error, 64 usage.
 */
#include <shunt.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A parser with a bug: it trusts that there is an item. Kept out of its caller so that stacks name it. */
static __attribute__((noinline)) int parse_item(const volatile int *item)
{
    return *item + 1;
}

static bool is(const struct shunt_delivery *d, const char *word)
{
    size_t bytes;
    const char *body = (const char *)shunt_delivery_body(d, &bytes);

    return bytes == strlen(word) && memcmp(body, word, bytes) == 0;
}

/* This runs in a child, a copy of the process as it was when the child began. Memory is not shared: what the
 * handler leaves behind must go to a file, a database or another message. The handle must not be used here:
 * open one of your own. */
static enum shunt_outcome on_item(void *context, const struct shunt_delivery *d, struct shunt_verdict *v)
{
    volatile int no_item = 0;

    (void)context;
    (void)v;
    fprintf(stderr, "handling %s\n", shunt_delivery_id(d));
    if (is(d, "crash"))
        return parse_item((const volatile int *)(uintptr_t)(0x10 + no_item)) > 0 ? SHUNT_ACK : SHUNT_NACK;
    while (is(d, "hang"))
        no_item++;
    if (is(d, "exit"))
        exit(7);
    return SHUNT_ACK;
}

int main(int argc, char **argv)
{
    static const char *const settings[][2] = {
        {"isolation", "fork"}, /* children that stand ready: no fork for each message */
        {"workers", "2"},
        {"timeout", "500ms"}, /* for one message; then its stack is taken and the child killed */
    };
    struct shunt_options *options;
    struct shunt *s;
    struct shunt_error err;
    int code = 0;

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: worker_fork TOPIC [drain]\n");
        return 64;
    }
    if (shunt_open(getenv("SHUNT_URL"), NULL, &s, &err) != 0) {
        fprintf(stderr, "worker_fork: %s\n", err.text);
        return 1;
    }
    options = shunt_options_new();
    for (size_t i = 0; options && code == 0 && i < sizeof settings / sizeof *settings; i++)
        code = shunt_options_set(options, settings[i][0], settings[i][1]);
    if (!options || code != 0 || shunt_options_set(options, "drain", argc == 3 ? "yes" : "no") != 0) {
        fprintf(stderr, "worker_fork: no memory\n");
        code = SHUNT_NO_MEMORY;
    } else {
        code = shunt_worker_run(s, argv[1], "default", options, on_item, NULL, &err);
        if (code != 0)
            fprintf(stderr, "worker_fork: %s\n", err.text);
    }
    shunt_options_free(options);
    shunt_close(s, 10000);
    return code == 0 ? 0 : 1;
}
