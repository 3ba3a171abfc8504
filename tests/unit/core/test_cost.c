/* cost: what the ledger counts as written is never less than what LMDB really took. */
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rig {
    struct fixture f;
    char dir[256];
    uint64_t random;
    /* Over all batches. */
    uint64_t counted, written, freed;
};

static uint64_t dice(struct rig *r, uint64_t bound)
{
    r->random ^= r->random >> 12;
    r->random ^= r->random << 25;
    r->random ^= r->random >> 27;
    return (r->random * 0x2545f4914f6cdd1dull >> 16) % bound;
}

static void rig_begin(struct rig *r, uint64_t seed)
{
    char why[512];
    const char *base = getenv("TMPDIR");
    struct store *s;
    *r = (struct rig){.random = seed * 0x9e3779b97f4a7c15ull + 1};
    (void)snprintf(r->dir, sizeof r->dir, "%s/shunt-cost-XXXXXX", base ? base : "/tmp");
    cr_assert_not_null(mkdtemp(r->dir));
    struct store_lmdb_options o = {
        .dir = r->dir, .map_bytes = 1 << 20, .map_bytes_max = 1 << 30, .create = true};
    cr_assert_eq(store_lmdb_open(&o, &s, why, sizeof why), 0, "%s", why);
    fixture_init_on(&r->f, s);
    r->f.quiet = r->f.careless = true;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    return remove(path);
}

static void rig_end(struct rig *r)
{
    fixture_done(&r->f);
    cr_assert_eq(nftw(r->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Pages taken by the last commit: those in use that were not, and those that it freed. */
static uint64_t taken(const struct store_usage *before, const struct store_usage *after)
{
    return after->used_bytes - before->used_bytes + after->free_bytes - after->usable_bytes;
}

/* Apply one command as a transaction of its own and compare. */
static void run(struct rig *r, struct command c)
{
    struct store_usage before, after;
    store_usage(r->f.store, &before);
    fixture_run(&r->f, c);
    store_usage(r->f.store, &after);
    if (!r->f.changed)
        return;
    uint64_t counted = ledger_spent(r->f.l) + COST_TRANSACTION_BYTES, written = taken(&before, &after);
    cr_assert_geq(counted, written, "command %d: %llu counted, %llu written", (int)c.kind,
                  (unsigned long long)counted, (unsigned long long)written);
    r->counted += counted - COST_TRANSACTION_BYTES;
    r->written += written;
    r->freed += after.free_bytes - after.usable_bytes;
}

static void publish_some(struct rig *r, uint32_t count, int64_t delay_ms, int64_t ttl_ms, size_t body_max)
{
    struct mpack_buffer m = {0};
    char *body = malloc(body_max + 1);
    for (uint32_t i = 0; i < count; i++) {
        size_t size = 1 + dice(r, body_max);
        memset(body, 'x', size);
        body[size] = 0;
        write_message(&m, body, delay_ms ? 1 + (int64_t)dice(r, (uint64_t)delay_ms) : 0,
                      ttl_ms ? 1 + (int64_t)dice(r, (uint64_t)ttl_ms) : 0);
    }
    run(r, (struct command){.kind = COMMAND_PUBLISH,
                            .publish = {.topic = text("t"), .count = count, .messages = {m.data, m.size}}});
    free(body);
    mpack_buffer_done(&m);
}

static void hand_out(struct rig *r, const char *group, uint32_t messages)
{
    run(r, (struct command){.kind = COMMAND_ASSIGN,
                            .assign = {.group = fixture_group(&r->f, "t", group)->r.id,
                                       .messages = messages,
                                       .bytes = 1u << 30}});
}

/* Answer some of what is held, in no order. */
static void answer(struct rig *r, const char *group, uint32_t count, unsigned acked_percent)
{
    static char stack[20000];
    struct resolution entries[DELIVERIES_MAX];
    struct group *g = fixture_group(&r->f, "t", group);
    uint32_t made = 0;
    memset(stack, 's', sizeof stack);
    for (uint32_t i = 0; i < count && r->f.tokens_count; i++) {
        struct token *k = &r->f.tokens[dice(r, r->f.tokens_count)];
        if (k->group != g->r.id)
            continue;
        entries[made++] = (struct resolution){.seq = k->seq,
                                              .token = k->token,
                                              .acked = dice(r, 100) < acked_percent,
                                              .outcome = dice(r, 2) ? ATTEMPT_NACKED : ATTEMPT_REJECTED,
                                              .delay_ms = DELAY_BACKOFF,
                                              .error_type = text("E"),
                                              .error_message = text("what went wrong"),
                                              .error_stack = {stack, dice(r, 4) ? 0 : dice(r, sizeof stack)}};
        *k = r->f.tokens[--r->f.tokens_count];
    }
    run(r, (struct command){.kind = COMMAND_RESOLVE,
                            .resolve = {.group = g->r.id,
                                        .by = {text("client"), text("host"), text("build")},
                                        .entries = entries,
                                        .count = made}});
}

static void pass(struct rig *r, int64_t ms)
{
    fixture_at(&r->f, r->f.now_ms + ms);
    for (int i = 0; i < 3 && ledger_tick_at(r->f.l) <= T0 + r->f.now_ms; i++)
        run(r, (struct command){.kind = COMMAND_TICK});
}

static void traffic(struct rig *r, unsigned rounds)
{
    static const char *const groups[] = {"default", "x", "y"};
    for (unsigned i = 0; i < rounds; i++) {
        const char *group = groups[dice(r, 3)];
        switch (dice(r, 8)) {
        case 0:
            publish_some(r, 1 + (uint32_t)dice(r, 300), dice(r, 2) ? 100000 : 0, dice(r, 2) ? 100000 : 0, 60);
            break;
        case 1:
            publish_some(r, 1 + (uint32_t)dice(r, 20), 0, 0, dice(r, 2) ? 3000 : 40000);
            break;
        case 2:
        case 3:
            hand_out(r, group, 1 + (uint32_t)dice(r, 400));
            break;
        case 4:
        case 5:
            answer(r, group, 1 + (uint32_t)dice(r, 300), dice(r, 2) ? 90 : 10);
            break;
        case 6:
            pass(r, (int64_t)dice(r, 8000));
            break;
        default:
            run(r,
                (struct command){.kind = dice(r, 2) ? COMMAND_DLQ_REDRIVE : COMMAND_DLQ_PURGE,
                                 .dead = {.topic = text("t"), .group = text(group), .count = dice(r, 200)}});
            break;
        }
    }
}

Test(cost, is_never_less_than_what_the_store_took)
{
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct rig r;
        rig_begin(&r, seed);
        topic_create_groups(&r.f, "t", "default x y");
        for (int i = 0; i < 10; i++)
            publish_some(&r, 1000, seed % 2 ? 1000000 : 0, seed % 3 ? 1000000 : 0, 100);
        traffic(&r, 250);
        run(&r, (struct command){.kind = COMMAND_RECOVER});
        run(&r, (struct command){.kind = COMMAND_TOPIC_PURGE, .purge = {.topic = text("t")}});
        while (r.f.l->jobs_count)
            pass(&r, 1);
        cr_assert_gt(r.freed, r.written / 4, "the store tells what it freed");
        rig_end(&r);
    }
}

/* Or a healthy publisher would be refused for what it never writes. */
Test(cost, of_messages_that_follow_each_other_is_near_their_bytes)
{
    struct rig r;
    rig_begin(&r, 1);
    topic_create_groups(&r.f, "t", "default x y");
    for (int i = 0; i < 10; i++)
        publish_some(&r, 4000, 0, 0, 100);
    cr_assert_lt(r.counted, 8 * r.written, "%llu counted, %llu written", (unsigned long long)r.counted,
                 (unsigned long long)r.written);
    rig_end(&r);
}

Test(cost, of_users_roles_and_tokens_is_never_less_than_what_the_store_took)
{
    struct rig r;
    char names[USER_CERTIFICATES_MAX][CERTIFICATE_NAME_BYTES_MAX + 1],
        patterns[GRANTS_MAX][NAME_BYTES_MAX + 1], name[16];
    struct slice certificates[USER_CERTIFICATES_MAX];
    struct grant grants[GRANTS_MAX];
    const uint8_t hash[TOKEN_HASH_BYTES] = {1};
    static char verifier[VERIFIER_BYTES_MAX];
    memset(verifier, 'v', sizeof verifier);
    rig_begin(&r, 1);
    for (int i = 0; i < GRANTS_MAX; i++) {
        (void)snprintf(patterns[i], sizeof patterns[i], "%0*d", NAME_BYTES_MAX, i);
        grants[i] = (struct grant){text(patterns[i]), RIGHTS_ALL};
    }
    for (int u = 0; u < 20; u++) {
        (void)snprintf(name, sizeof name, "u%d", u);
        for (int i = 0; i < USER_CERTIFICATES_MAX; i++) {
            (void)snprintf(names[i], sizeof names[i], "%0*d", CERTIFICATE_NAME_BYTES_MAX, u * 100 + i);
            certificates[i] = text(names[i]);
        }
        struct user_command c = {.name = text(name),
                                 .given = USER_PASSWORD | USER_CERTIFICATES | USER_GRANTS,
                                 .password = {verifier, sizeof verifier},
                                 .certificates = certificates,
                                 .certificates_count = USER_CERTIFICATES_MAX,
                                 .grants = grants,
                                 .grants_count = u % 2 ? GRANTS_MAX : 1};
        run(&r, (struct command){.kind = COMMAND_USER_SET, .user = c});
        run(&r, (struct command){.kind = COMMAND_ROLE_SET,
                                 .role = {.name = text(name), .grants = grants, .grants_count = GRANTS_MAX}});
        for (int i = 0; i < 20 && u < 5; i++) {
            run(&r, (struct command){
                        .kind = COMMAND_TOKEN_ADD,
                        .token = {.user = text(name), .hash = {hash, sizeof hash}, .expires_ms = i % 2}});
        }
    }
    run(&r, (struct command){.kind = COMMAND_TICK});
    for (int u = 0; u < 20; u++) {
        (void)snprintf(name, sizeof name, "u%d", u);
        run(&r, (struct command){.kind = COMMAND_USER_DELETE, .identity.name = text(name)});
        run(&r, (struct command){.kind = COMMAND_ROLE_DELETE, .identity.name = text(name)});
        cr_assert_eq(r.f.err, 0);
    }
    rig_end(&r);
}

/* Or a ledger that was loaded meanwhile would fit more, or less, into its room than one that was not. */
Test(cost, does_not_depend_on_how_many_batches_were_counted_before)
{
    enum { BATCH = 40, ROWS = 2000 };
    struct cost_meter *old = calloc(1, sizeof *old), *fresh = calloc(1, sizeof *fresh);
    for (uint64_t batch = 1; batch <= BATCH; batch++) {
        memset(fresh, 0, sizeof *fresh);
        cost_begin(old, batch);
        cost_begin(fresh, batch);
        for (uint32_t row = 0; row < ROWS; row++) {
            struct key key = key_id_seq(row * 7919 % 997 + 1, row);
            cost_write(old, TABLE_MESSAGE, key_slice(&key), 100);
            cost_write(fresh, TABLE_MESSAGE, key_slice(&key), 100);
        }
        cr_assert_eq(old->bytes, fresh->bytes, "batch %u", (unsigned)batch);
    }
    free(old);
    free(fresh);
}
