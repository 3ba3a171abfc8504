/* test_maintain: what the store does between transactions fails. Full, it goes on; anything else ends the server at once, and names
 * what failed, before anything that comes after is accepted. */
#include "broker/engine/state.h"
#include "tests/unit/engine/world.h"

#include <criterion/criterion.h>
#include <setjmp.h>
#include <string.h>

static int fails_with;
static unsigned asked, begun;
static int (*begin)(struct store *s, bool write, struct store_txn **ret);
static jmp_buf ended;
static int ended_err;
static char ended_of[200];

static int failing_maintain(struct store *s)
{
    (void)s;
    asked++;
    return fails_with;
}

static int counted_begin(struct store *s, bool write, struct store_txn **ret)
{
    begun += write;
    return begin(s, write, ret);
}

static void note_end(void *context, int err, const char *text)
{
    (void)context;
    ended_err = err;
    (void)strncpy(ended_of, text, sizeof ended_of - 1);
    longjmp(ended, 1);
}

/* Publish once while it fails so. False: the engine ended. */
static bool survives(struct world *w, int err)
{
    fails_with = err;
    w->ops.maintain = failing_maintain;
    begin = w->ops.begin;
    w->ops.begin = counted_begin;
    w->engine->config.fatal = note_end;
    if (setjmp(ended))
        return false;
    publish(w, w->links[0], 1, 10);
    return true;
}

Test(maintain, a_store_that_cannot_grow_goes_on)
{
    static struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20});
    size_t told = w.told[0].size;
    cr_assert(survives(&w, SHUNT_NO_SPACE), "%s", ended_of);
    cr_assert_geq(asked, 1);
    cr_assert_gt(w.told[0].size, told, "the publish is answered");
    world_stop(&w);
}

/* The engine is left as it stands, as a process that ends leaves it. */
static void expect_end(int err)
{
    static struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20});
    cr_assert_not(survives(&w, err), "error %d was passed over", err);
    cr_assert_eq(ended_err, err);
    cr_assert(strstr(ended_of, "could not be maintained"), "%s", ended_of);
    cr_assert_eq(asked, 1, "it is not tried again");
    cr_assert_eq(begun, 1, "no transaction begins after it");
}

Test(maintain, a_failed_one_ends_the_server)
{
    expect_end(SHUNT_IO);
}

Test(maintain, so_does_damage)
{
    expect_end(SHUNT_CORRUPT);
}
