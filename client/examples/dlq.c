/* dlq: look at the dead letters of a group, and send them back when the cause is mended.
 *
 *   dlq list TOPIC               one line for each
 *   dlq show TOPIC ID            one with its body, error and history
 *   dlq redrive TOPIC [ID…]      these, or all, back to the group that failed; waits until it is done
 *
 * Exit status: 0 done, 1 an error, 3 there was nothing, 64 usage.
 */
#include <shunt.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 10000
#define GROUP      "default"
#define PAGE_ROWS  100

static const char *text_of(const struct shunt_value *map, const char *key)
{
    return shunt_value_text(shunt_value_get(map, key), NULL);
}

static void print_row(const struct shunt_value *dead)
{
    char when[32];

    printf("%s  %s  attempts %lld  died %s  %s: %s\n", text_of(dead, "id"), text_of(dead, "reason"),
           (long long)shunt_value_integer(shunt_value_get(dead, "attempts")),
           shunt_format_time(when, shunt_value_integer(shunt_value_get(dead, "died"))),
           text_of(dead, "error_type"), text_of(dead, "error_message"));
}

/* Pages: each begins after the last row of the one before. Looking changes nothing. */
static int list(struct shunt *s, const char *topic, struct shunt_error *err)
{
    uint64_t after = 0;
    size_t seen = 0;
    bool more = true;

    while (more) {
        struct shunt_value *page;
        const struct shunt_value *rows;
        int code = shunt_dlq_list(s, topic, GROUP, after, PAGE_ROWS, TIMEOUT_MS, &page, err);

        if (code != 0)
            return code;
        rows = shunt_value_get(page, "rows");
        for (size_t i = 0; i < shunt_value_count(rows); i++) {
            const struct shunt_value *dead = shunt_value_at(rows, i);

            print_row(dead);
            after = (uint64_t)shunt_value_integer(shunt_value_get(dead, "seq"));
            seen++;
        }
        more = shunt_value_integer(shunt_value_get(page, "more")) != 0;
        shunt_value_free(page);
    }
    return seen == 0 ? SHUNT_EMPTY : 0;
}

static int show(struct shunt *s, const char *topic, const char *id, struct shunt_error *err)
{
    struct shunt_value *dead;
    const struct shunt_value *history;
    const char *body;
    size_t bytes;
    int code = shunt_dlq_show(s, topic, GROUP, id, TIMEOUT_MS, &dead, err);

    if (code != 0)
        return code;
    print_row(dead);
    body = shunt_value_text(shunt_value_get(dead, "body"), &bytes);
    printf("body: %.*s\nstack:\n%s\n", (int)bytes, body, text_of(dead, "error_stack"));
    history = shunt_value_get(dead, "history");
    for (size_t i = 0; i < shunt_value_count(history); i++) {
        const struct shunt_value *attempt = shunt_value_at(history, i);

        printf("attempt %lld: %s by %s, %s: %s\n",
               (long long)shunt_value_integer(shunt_value_get(attempt, "number")),
               text_of(attempt, "outcome"), text_of(attempt, "consumer"), text_of(attempt, "error_type"),
               text_of(attempt, "error_message"));
    }
    shunt_value_free(dead);
    return 0;
}

/* A redrive is a job of the broker: it goes on if we leave, and if the broker restarts. */
static int redrive(struct shunt *s, const char *topic, char **ids, size_t ids_count, struct shunt_error *err)
{
    uint64_t job, count;
    int code = shunt_dlq_redrive(s, topic, GROUP, (const char *const *)ids, ids_count, SHUNT_ALL, 0,
                                 TIMEOUT_MS, &job, &count, err);

    if (code != 0)
        return code;
    if (job == 0)
        return SHUNT_EMPTY; /* nothing there */
    code = shunt_job_wait(s, job, TIMEOUT_MS, err);
    if (code == 0)
        printf("%llu redriven\n", (unsigned long long)count);
    return code;
}

int main(int argc, char **argv)
{
    struct shunt *s;
    struct shunt_error err = {0, false, ""};
    int code;

    if (argc < 3 || (strcmp(argv[1], "show") == 0 && argc != 4)) {
        fprintf(stderr, "usage: dlq list TOPIC | dlq show TOPIC ID | dlq redrive TOPIC [ID...]\n");
        return 64;
    }
    if (shunt_open(getenv("SHUNT_URL"), NULL, &s, &err) != 0) {
        fprintf(stderr, "dlq: %s\n", err.text);
        return 1;
    }
    if (strcmp(argv[1], "list") == 0) {
        code = list(s, argv[2], &err);
    } else if (strcmp(argv[1], "show") == 0) {
        code = show(s, argv[2], argv[3], &err);
    } else if (strcmp(argv[1], "redrive") == 0) {
        code = redrive(s, argv[2], argv + 3, (size_t)(argc - 3), &err);
    } else {
        fprintf(stderr, "dlq: %s is not list, show or redrive\n", argv[1]);
        code = -1;
    }
    if (code > 0 && code != SHUNT_EMPTY)
        fprintf(stderr, "dlq: %s\n", err.text);
    shunt_close(s, TIMEOUT_MS);
    return code == 0 ? 0 : code < 0 ? 64 : code == SHUNT_EMPTY || code == SHUNT_NOT_FOUND ? 3 : 1;
}
