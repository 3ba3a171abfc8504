/* publish_pipelined: publish many messages without waiting for each, and hear of every one.
 *
 *   publish_pipelined TOPIC COUNT
 *
 * Exit status: 0 all are durable, 1 some are not, 64 usage.
 */
#include <shunt.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 30000

struct tally {
    unsigned long durable;
    unsigned long failed;
};

/* Called once for each message, from inside shunt_process() or shunt_flush(): never while you are not
 * looking. */
static void on_published(void *context, uint64_t seq, const struct shunt_error *err)
{
    struct tally *tally = (struct tally *)context;

    (void)seq;
    if (!err) {
        tally->durable++;
    } else {
        tally->failed++;
        fprintf(stderr, "publish_pipelined: %s\n", err->text);
    }
}

static int publish_one(struct shunt *s, const char *topic, const struct shunt_message *message,
                       struct tally *tally, struct shunt_error *err)
{
    int code;

    for (;;) {
        code = shunt_publish_async(s, topic, message, on_published, tally, err);
        if (code != SHUNT_BUSY)
            return code;
        /* The window is full: let the broker catch up, then queue this one. */
        code = shunt_flush(s, TIMEOUT_MS, err);
        if (code != 0)
            return code;
    }
}

int main(int argc, char **argv)
{
    struct tally tally = {0, 0};
    struct shunt *s;
    struct shunt_message *message;
    struct shunt_error err;
    unsigned long count;
    int code;

    if (argc != 3 || (count = strtoul(argv[2], NULL, 10)) == 0) {
        fprintf(stderr, "usage: publish_pipelined TOPIC COUNT\n");
        return 64;
    }
    if (shunt_open(getenv("SHUNT_URL"), NULL, &s, &err) != 0) {
        fprintf(stderr, "publish_pipelined: %s\n", err.text);
        return 1;
    }
    message = shunt_message_new();
    code = !message ? SHUNT_NO_MEMORY : 0;
    for (unsigned long i = 0; i < count && code == 0; i++) {
        char body[64];
        int length = snprintf(body, sizeof body, "message %lu of %lu", i + 1, count);

        /* One message object serves all: queueing copies what it holds. */
        shunt_message_body(message, body, (size_t)length);
        code = publish_one(s, argv[1], message, &tally, &err);
        if (code != 0)
            fprintf(stderr, "publish_pipelined: %s\n", err.text);
    }
    /* What is still on its way is waited for here; each has its callback before this returns 0. */
    if (code == 0)
        code = shunt_flush(s, TIMEOUT_MS, &err);
    printf("%lu durable, %lu failed\n", tally.durable, tally.failed);
    shunt_message_free(message);
    shunt_close(s, TIMEOUT_MS);
    return code == 0 && tally.durable == count ? 0 : 1;
}
