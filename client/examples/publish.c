/* publish: store one message and wait until the broker has it for good.
 *
 *   publish TOPIC TEXT            SHUNT_URL names the broker, shunt://127.0.0.1:7480 if it is not set
 *
 * Exit status: 0 the message is durable, 1 it is not (or that is not known: the text on stderr says which),
 * 64 usage.
 */
#include <shunt.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 10000

int main(int argc, char **argv)
{
    struct shunt_message *message = NULL;
    struct shunt *s = NULL;
    struct shunt_error err;
    uint64_t seq;
    int code;

    if (argc != 3) {
        fprintf(stderr, "usage: publish TOPIC TEXT\n");
        return 64;
    }
    /* Opening makes the handle; the connection is made by the first call that needs it. */
    code = shunt_open(getenv("SHUNT_URL"), NULL, &s, &err);
    if (code != 0) {
        fprintf(stderr, "publish: %s\n", err.text);
        return 1;
    }
    message = shunt_message_new();
    if (!message) {
        fprintf(stderr, "publish: no memory\n");
        shunt_close(s, 0);
        return 1;
    }
    /* The body is lent, not copied, until the call that publishes it. Headers are copied. */
    shunt_message_body(message, argv[2], strlen(argv[2]));
    code = shunt_message_header(message, "from", "publish.c", strlen("publish.c"));
    if (code == 0) {
        code = shunt_publish(s, argv[1], message, TIMEOUT_MS, &seq, &err);
        if (code != 0) {
            /* TIMEOUT and DISCONNECTED mean that nobody here knows; every other error means that it is not
             * stored. */
            fprintf(stderr, "publish: %s: %s\n", shunt_error_name(code), err.text);
        }
    }
    if (code == 0)
        printf("%s/%llu\n", argv[1], (unsigned long long)seq);
    shunt_message_free(message);
    shunt_close(s, TIMEOUT_MS);
    return code == 0 ? 0 : 1;
}
