/* worker: let the library run the loop: fetch, call the handler, answer, until a SIGTERM or the queue is
 * empty.
 *
 *   worker TOPIC [drain]
 *
 * The handler runs in this process: fast, but if it crashes, all of it does. See worker_fork.c for the other
 * way. Exit status: 0 after a clean stop, 1 an error, 64 usage.
 */
#include <shunt.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shop {
    unsigned long long sum;
    unsigned long orders;
};

/* A message is a number; each is added to the sum. The answer is what this returns; nothing else is to be
 * done. */
static enum shunt_outcome on_order(void *context, const struct shunt_delivery *d, struct shunt_verdict *v)
{
    struct shop *shop = (struct shop *)context;
    size_t bytes;
    const char *body = (const char *)shunt_delivery_body(d, &bytes);
    char text[32], *end;
    unsigned long long number;

    if (bytes == 0 || bytes >= sizeof text) {
        struct shunt_failure failure = {"bad_size", "an order is 1 to 31 digits", NULL, NULL};

        shunt_verdict_failure(v, &failure);
        return SHUNT_REJECT; /* trying again would not help */
    }
    memcpy(text, body, bytes);
    text[bytes] = '\0';
    number = strtoull(text, &end, 10);
    if (*end != '\0') {
        struct shunt_failure failure = {"bad_number", text, NULL, NULL};

        shunt_verdict_failure(v, &failure);
        return SHUNT_NACK; /* tried again, and dead-lettered when the group's max-attempts are used up */
    }
    shop->sum += number;
    shop->orders++;
    return SHUNT_ACK;
}

int main(int argc, char **argv)
{
    struct shop shop = {0, 0};
    struct shunt_options *options;
    struct shunt *s;
    struct shunt_error err;
    int code;

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: worker TOPIC [drain]\n");
        return 64;
    }
    if (shunt_open(getenv("SHUNT_URL"), NULL, &s, &err) != 0) {
        fprintf(stderr, "worker: %s\n", err.text);
        return 1;
    }
    options = shunt_options_new();
    code = !options ? SHUNT_NO_MEMORY : shunt_options_set(options, "drain", argc == 3 ? "yes" : "no");
    if (code != 0) {
        fprintf(stderr, "worker: %s\n", shunt_error_text(code));
    } else {
        code = shunt_worker_run(s, argv[1], "default", options, on_order, &shop, &err);
        if (code != 0)
            fprintf(stderr, "worker: %s\n", err.text);
    }
    printf("%lu orders, sum %llu\n", shop.orders, shop.sum);
    shunt_options_free(options);
    shunt_close(s, 10000);
    return code == 0 ? 0 : 1;
}
