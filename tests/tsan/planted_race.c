/* planted_race: the negative control. A thread reads the engine's own count of commits instead of asking for
 * a snapshot. */
#include "broker/engine/state.h"
#include "broker/store/store.h"
#include "tests/tsan/net_side.h"

static void on_notify(void *context)
{
    (void)context;
}

static void on_fatal(void *context, int err, const char *text)
{
    (void)context;
    fprintf(stderr, "the engine died: %d: %s\n", err, text);
    exit(1);
}

struct looker {
    const struct engine *engine;
    _Atomic bool over;
    uint64_t sum;
};

static void *look(void *argument)
{
    struct looker *l = argument;
    while (!l->over)
        l->sum += l->engine->commits;
    return NULL;
}

int main(void)
{
    enum { ROUNDS = 50 };
    struct engine *e;
    struct looker looker = {0};
    pthread_t thread;
    char why[512];
    struct engine_config config = engine_defaults(on_notify, on_fatal, NULL);
    struct store *store = store_memory_open(1u << 30);
    MUST(store && engine_new(&config, store, &e, why, sizeof why) == 0 && engine_start(e) == 0);
    looker.engine = e;
    MUST(pthread_create(&thread, NULL, look, &looker) == 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct snapshot *s;
        MUST(engine_snapshot(e, 10, true, 30000, &s) == 0);
        snapshot_free(s);
    }
    looker.over = true;
    MUST(pthread_join(thread, NULL) == 0);
    engine_stop(e);
    engine_free(e);
    printf("%llu\n", (unsigned long long)looker.sum);
    return 0;
}
