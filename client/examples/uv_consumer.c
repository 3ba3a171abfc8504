/* uv_consumer: consume inside a libuv loop, beside whatever else the loop does.
 *
 *   uv_consumer TOPIC COUNT
 *
 * Nothing here waits: messages are announced, taken with a timeout of 0, and answered with a callback.
 * Exit status: 0 COUNT messages were handled, 1 an error, 3 they did not come within five seconds, 64 usage.
 */
#include <shunt_uv.h>

#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_MS 10000
#define GIVE_UP_MS 5000

struct program {
    uv_loop_t *loop;
    struct shunt_uv adapter;
    uv_timer_t give_up;
    unsigned long wanted;
    unsigned long taken;
    unsigned long done;
    int status;
};

static void finish(struct program *p, int status)
{
    if (!uv_is_closing((uv_handle_t *)&p->give_up)) {
        p->status = status;
        uv_close((uv_handle_t *)&p->give_up, NULL);
        shunt_uv_close(&p->adapter, NULL); /* the loop ends when nothing is left in it */
    }
}

/* The broker has answered: from here on it is true. */
static void on_acked(void *context, const struct shunt_error *err)
{
    struct program *p = context;

    if (err)
        fprintf(stderr, "uv_consumer: %s\n", err->text); /* STALE: too slow, somebody else will have it */
    if (++p->done == p->wanted)
        finish(p, 0);
}

/* Take all that is there. It may be called with nothing to take, and is called again when there is more. */
static void on_arrival(void *context, struct shunt_consumer *consumer)
{
    struct program *p = context;
    struct shunt_delivery *d;
    struct shunt_error err;

    while (p->taken < p->wanted && shunt_next(consumer, 0, &d, &err) == 0) {
        size_t bytes;
        const char *body = shunt_delivery_body(d, &bytes);

        p->taken++;
        printf("%s: %.*s\n", shunt_delivery_id(d), (int)bytes, body);
        if (shunt_resolve_async(d, SHUNT_ACK, 0, NULL, on_acked, p, &err) != 0)
            on_acked(p, &err);
    }
}

static void on_failed(void *context, const struct shunt_error *err)
{
    fprintf(stderr, "uv_consumer: %s\n", err->text);
    finish(context, 1);
}

static void on_give_up(uv_timer_t *timer)
{
    finish(timer->data, 3);
}

int main(int argc, char **argv)
{
    struct program p = {.loop = uv_default_loop(), .status = 1};
    struct shunt_consumer *consumer = NULL;
    struct shunt *s;
    struct shunt_error err;

    if (argc != 3 || (p.wanted = strtoul(argv[2], NULL, 10)) == 0) {
        fprintf(stderr, "usage: uv_consumer TOPIC COUNT\n");
        return 64;
    }
    if (shunt_open(getenv("SHUNT_URL"), NULL, &s, &err) != 0) {
        fprintf(stderr, "uv_consumer: %s\n", err.text);
        return 1;
    }
    /* Subscribing waits for its answer; before the loop runs that disturbs nobody. */
    if (shunt_subscribe(s, argv[1], "default", NULL, TIMEOUT_MS, &consumer, &err) != 0) {
        fprintf(stderr, "uv_consumer: %s\n", err.text);
        shunt_close(s, 0);
        return 1;
    }
    if (uv_timer_init(p.loop, &p.give_up) != 0 || shunt_uv_init(&p.adapter, p.loop, s, on_failed, &p) != 0) {
        fprintf(stderr, "uv_consumer: the loop does not take another handle\n");
        return 1;
    }
    p.give_up.data = &p;
    (void)uv_timer_start(&p.give_up, on_give_up, GIVE_UP_MS, 0); /* fails only without a callback */
    shunt_on_arrival(consumer, on_arrival, &p);
    (void)uv_run(p.loop, UV_RUN_DEFAULT); /* returns when finish() has closed both handles */
    printf("%lu of %lu\n", p.done, p.wanted);
    shunt_unsubscribe(consumer, TIMEOUT_MS);
    shunt_close(s, TIMEOUT_MS);
    return p.status;
}
