/* backlog: publish many messages of one size as fast as the broker takes them.
 *
 *   backlog TOPIC COUNT BYTES
 *
 * Exit status: 0 all are durable, 1 some are not, 64 usage.
 */
#include "client/shunt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 120000
#define BYTES_MAX  65536

static void on_published(void *context, uint64_t seq, const struct shunt_error *err)
{
    unsigned long *durable = context;
    (void)seq;
    if (!err)
        ++*durable;
}

static int publish(struct shunt *s, const char *topic, unsigned long count, size_t bytes,
                   unsigned long *ret_durable, struct shunt_error *err)
{
    static char body[BYTES_MAX];
    struct shunt_message *m = shunt_message_new();
    int code = !m ? SHUNT_NO_MEMORY : 0;
    memset(body, 'x', bytes);
    if (code == 0)
        shunt_message_body(m, body, bytes);
    for (unsigned long i = 0; i < count && code == 0;) {
        code = shunt_publish_async(s, topic, m, on_published, ret_durable, err);
        i += code == 0;
        if (code == SHUNT_BUSY)
            code = shunt_flush(s, TIMEOUT_MS, err);
    }
    if (code == 0)
        code = shunt_flush(s, TIMEOUT_MS, err);
    shunt_message_free(m);
    return code;
}

int main(int argc, char **argv)
{
    struct shunt *s = NULL;
    struct shunt_error err = {.text = "no memory"};
    unsigned long durable = 0;
    unsigned long count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    size_t bytes = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    if (count == 0 || bytes > BYTES_MAX) {
        (void)fprintf(stderr, "usage: backlog TOPIC COUNT BYTES\n");
        return 64;
    }
    int code = shunt_open(getenv("SHUNT_URL"), NULL, &s, &err);
    if (code == 0)
        code = publish(s, argv[1], count, bytes, &durable, &err);
    if (code != 0)
        (void)fprintf(stderr, "backlog: %s\n", err.text);
    shunt_close(s, TIMEOUT_MS);
    (void)printf("%lu\n", durable);
    return code == 0 && durable == count ? 0 : 1;
}
