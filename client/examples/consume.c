/* consume: take messages one by one, print them, and answer each.
 *
 *   consume TOPIC COUNT
 *
 * A message that begins with "bad" is refused for good, one that begins with "later" is put back; all others
 * are done. Exit status: 0 COUNT messages were seen, 1 an error, 3 none came for two seconds, 64 usage.
 */
#include <shunt.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 10000
#define WAIT_MS    2000

static bool begins_with(const char *body, size_t bytes, const char *word)
{
    return bytes >= strlen(word) && memcmp(body, word, strlen(word)) == 0;
}

/* Every answer takes the delivery: it must not be used afterwards. */
static int answer(struct shunt_delivery *d, struct shunt_error *err)
{
    size_t bytes;
    const char *body = (const char *)shunt_delivery_body(d, &bytes);

    printf("%s attempt %u: %.*s\n", shunt_delivery_id(d), shunt_delivery_attempts(d) + 1, (int)bytes, body);
    if (begins_with(body, bytes, "bad")) {
        struct shunt_failure failure = {"bad_word", "it begins with bad", NULL, NULL};

        return shunt_reject(d, &failure, TIMEOUT_MS, err); /* to the dead-letter queue */
    }
    if (begins_with(body, bytes, "later") && shunt_delivery_attempts(d) == 0) {
        struct shunt_failure failure = {"not_yet", "asked to come later", NULL, NULL};

        return shunt_nack(d, SHUNT_BACKOFF, &failure, TIMEOUT_MS, err); /* again after the group's back-off */
    }
    return shunt_ack(d, TIMEOUT_MS, err);
}

int main(int argc, char **argv)
{
    struct shunt_consumer *consumer = NULL;
    struct shunt_delivery *d;
    struct shunt *s;
    struct shunt_error err;
    unsigned long count;
    int code;

    if (argc != 3 || (count = strtoul(argv[2], NULL, 10)) == 0) {
        fprintf(stderr, "usage: consume TOPIC COUNT\n");
        return 64;
    }
    if (shunt_open(getenv("SHUNT_URL"), NULL, &s, &err) != 0) {
        fprintf(stderr, "consume: %s\n", err.text);
        return 1;
    }
    code = shunt_subscribe(s, argv[1], "default", NULL, TIMEOUT_MS, &consumer, &err);
    for (unsigned long i = 0; i < count && code == 0; i++) {
        code = shunt_next(consumer, WAIT_MS, &d, &err);
        if (code == 0)
            code = answer(d, &err);
        if (code == SHUNT_STALE) {
            /* We were too slow and somebody else has the message now: not a reason to stop, and this answer
             * did nothing. */
            fprintf(stderr, "consume: %s\n", err.text);
            code = 0;
        }
    }
    if (code != 0)
        fprintf(stderr, "consume: %s\n", err.text);
    /* What was fetched ahead and not looked at goes back, and counts as no attempt. */
    shunt_unsubscribe(consumer, TIMEOUT_MS);
    shunt_close(s, TIMEOUT_MS);
    return code == 0 ? 0 : code == SHUNT_EMPTY ? 3 : 1;
}
