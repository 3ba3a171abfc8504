/* uv_consumer: consume inside a libuv loop, beside whatever else the loop does.
 *
 *   uv_consumer TOPIC COUNT
 *
 * Nothing here waits, from the subscription to the goodbye: the loop runs, and callbacks tell what has ended.
 * Exit status: 0 COUNT messages were handled, 1 an error, 3 they did not come within five seconds, 64 usage.
 */
#include <shunt_uv.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIVE_UP_MS 5000

struct program {
    uv_loop_t *loop;
    struct shunt *s;
    struct shunt_uv adapter;
    uv_timer_t give_up;
    unsigned long wanted;
    unsigned long taken;
    unsigned long done;
    int status;
};

/* The loop ends when nothing is left in it. */
static void on_goodbye(void *context, const struct shunt_error *err)
{
    struct program *p = (struct program *)context;

    (void)err; /* the connection is gone: the broker gives back what it held, as it would have */
    shunt_uv_close(&p->adapter, NULL);
}

static void finish(struct program *p, int status)
{
    if (uv_is_closing((uv_handle_t *)&p->give_up))
        return;
    p->status = status;
    uv_close((uv_handle_t *)&p->give_up, NULL);
    if (shunt_goodbye_async(p->s, on_goodbye, p, NULL) != 0)
        on_goodbye(p, NULL);
}

/* The broker has answered: from here on it is true. */
static void on_acked(void *context, const struct shunt_error *err)
{
    struct program *p = (struct program *)context;

    if (err)
        fprintf(stderr, "uv_consumer: %s\n", err->text); /* STALE: too slow, somebody else will have it */
    if (++p->done == p->wanted)
        finish(p, 0);
}

/* Take all that is there. It may be called with nothing to take, and is called again when there is more. */
static void on_arrival(void *context, struct shunt_consumer *consumer)
{
    struct program *p = (struct program *)context;
    struct shunt_delivery *d;
    struct shunt_error err;

    while (p->taken < p->wanted && shunt_next(consumer, 0, &d, &err) == 0) {
        size_t bytes;
        const char *body = (const char *)shunt_delivery_body(d, &bytes);

        p->taken++;
        printf("%s: %.*s\n", shunt_delivery_id(d), (int)bytes, body);
        if (shunt_resolve_async(d, SHUNT_ACK, 0, NULL, on_acked, p, &err) != 0)
            on_acked(p, &err);
    }
}

static void on_subscribed(void *context, const struct shunt_error *err)
{
    if (!err)
        return;
    fprintf(stderr, "uv_consumer: %s\n", err->text);
    finish((struct program *)context, 1);
}

static void on_failed(void *context, const struct shunt_error *err)
{
    fprintf(stderr, "uv_consumer: %s\n", err->text);
    finish((struct program *)context, 1);
}

static void on_give_up(uv_timer_t *timer)
{
    finish((struct program *)timer->data, 3);
}

int main(int argc, char **argv)
{
    struct program p;
    struct shunt_consumer *consumer = NULL;
    struct shunt_error err;

    memset(&p, 0, sizeof p);
    p.loop = uv_default_loop();
    p.status = 1;
    if (argc != 3 || (p.wanted = strtoul(argv[2], NULL, 10)) == 0) {
        fprintf(stderr, "usage: uv_consumer TOPIC COUNT\n");
        return 64;
    }
    if (shunt_open(getenv("SHUNT_URL"), NULL, &p.s, &err) != 0) {
        fprintf(stderr, "uv_consumer: %s\n", err.text);
        return 1;
    }
    if (uv_timer_init(p.loop, &p.give_up) != 0 ||
        shunt_uv_init(&p.adapter, p.loop, p.s, on_failed, &p) != 0) {
        fprintf(stderr, "uv_consumer: the loop does not take another handle\n");
        return 1;
    }
    p.give_up.data = &p;
    (void)uv_timer_start(&p.give_up, on_give_up, GIVE_UP_MS, 0); /* fails only without a callback */
    if (shunt_subscribe_async(p.s, argv[1], "default", NULL, on_subscribed, &p, &consumer, &err) != 0) {
        fprintf(stderr, "uv_consumer: %s\n", err.text);
        return 1;
    }
    shunt_on_arrival(consumer, on_arrival, &p);
    (void)uv_run(p.loop, UV_RUN_DEFAULT); /* returns when both handles are closed */
    printf("%lu of %lu\n", p.done, p.wanted);
    shunt_close(p.s, 0); /* with the consumer; all has been said */
    return p.status;
}
