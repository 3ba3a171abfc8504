/* drill_worker: a service that charges orders, each in a child process.
 *
 *   drill_worker TOPIC GROUP BUILD [drain]
 *
 * A body that begins with `segv` makes it write through a null pointer, `hang` makes it wait for a bank that never answers;
 * everything else is charged. With a BUILD that ends in `-mended` it can do both. Ends with 0 after SIGTERM or, with `drain`,
 * when the group is drained; 1 after an error, 64 for usage.
 */
#include "client/shunt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLOSE_MS 10000

static bool is(const struct shunt_delivery *d, const char *begin)
{
    size_t bytes, length = strlen(begin);
    const char *body = shunt_delivery_body(d, &bytes);
    return bytes >= length && memcmp(body, begin, length) == 0;
}

/* Both volatile: the compiler may neither know that it is null nor leave the write out. It is to die of the signal, not of a sanitizer's
 * report. */
__attribute__((noinline, no_sanitize("undefined"))) static void charge_card(const struct shunt_delivery *d)
{
    volatile int *volatile card = NULL;
    (void)fprintf(stderr, "charging %s\n", shunt_delivery_id(d));
    *card = 1;
}

__attribute__((noinline)) static void ask_bank(const struct shunt_delivery *d)
{
    (void)fprintf(stderr, "asking the bank about %s\n", shunt_delivery_id(d));
    for (;;)
        (void)pause();
}

static enum shunt_outcome handle(void *context, const struct shunt_delivery *d, struct shunt_verdict *v)
{
    const bool *mended = context;
    (void)v;
    if (is(d, "segv") && !*mended)
        charge_card(d);
    if (is(d, "hang") && !*mended)
        ask_bank(d);
    return SHUNT_ACK;
}

static int work(char **argv, bool *mended, struct shunt_error *err)
{
    const char *const settings[][2] = {
        {"isolation", "fork"}, {"workers", "4"}, {"timeout", "1s"}, {"drain", argv[4] ? "yes" : "no"}};
    struct shunt *s = NULL;
    struct shunt_options *of_handle = shunt_options_new(), *of_worker = shunt_options_new();
    int code = of_handle && of_worker ? 0 : SHUNT_NO_MEMORY;
    if (code == 0)
        code = shunt_options_set(of_handle, "build", argv[3]);
    for (size_t i = 0; code == 0 && i < sizeof settings / sizeof *settings; i++)
        code = shunt_options_set(of_worker, settings[i][0], settings[i][1]);
    if (code == 0)
        code = shunt_open(getenv("SHUNT_URL"), of_handle, &s, err);
    if (code == 0)
        code = shunt_worker_run(s, argv[1], argv[2], of_worker, handle, mended, err);
    shunt_close(s, CLOSE_MS);
    shunt_options_free(of_worker);
    shunt_options_free(of_handle);
    return code;
}

int main(int argc, char **argv)
{
    struct shunt_error err = {.text = "no memory"};
    if (argc < 4 || argc > 5 || (argv[4] && strcmp(argv[4], "drain") != 0)) {
        (void)fprintf(stderr, "usage: drill_worker TOPIC GROUP BUILD [drain]\n");
        return 64;
    }
    size_t length = strlen(argv[3]);
    bool mended = length > 7 && strcmp(argv[3] + length - 7, "-mended") == 0;
    int code = work(argv, &mended, &err);
    if (code != 0)
        (void)fprintf(stderr, "drill_worker: %s\n", err.text);
    return code == 0 ? 0 : 1;
}
