/* Damage to any row of a ledger's store: apply, a view and a load stop with CORRUPT or take the message for
 * what it is, and nothing is handed out that was not published. */
#include "tests/unit/core/ledger_scene.h"

#include <criterion/criterion.h>
#include <string.h>

enum damage {
    FLIPPED,   /* a bit of its value */
    CUT,       /* its value is a byte short */
    LOST,      /* the whole row */
    SHORT_KEY, /* a second one, whose key is a byte short */
    LONG_KEY,  /* a byte long */
    DAMAGES
};

static const char *const damages[] = {"flipped", "cut", "lost", "short key", "long key"};

/* A row, kept to put it back. */
struct row {
    enum store_table table;
    size_t key_size, size;
    uint8_t key[STORE_KEY_BYTES_MAX + 1], value[32768];
};

static struct slice key_of(const struct row *r, int longer)
{
    return (struct slice){r->key, r->key_size + (size_t)longer};
}

static void put(struct fixture *f, const struct row *r, int longer, size_t size)
{
    struct store_txn *t;
    cr_assert_eq(store_begin(f->store, true, &t), 0);
    cr_assert_eq(store_put(t, r->table, key_of(r, longer), (struct slice){r->value, size}), 0);
    cr_assert_eq(store_commit(t), 0);
}

static void lose(struct fixture *f, const struct row *r, int longer)
{
    struct store_txn *t;
    cr_assert_eq(store_begin(f->store, true, &t), 0);
    cr_assert_eq(store_del(t, r->table, key_of(r, longer), NULL), 0);
    cr_assert_eq(store_commit(t), 0);
}

/* False if there is no such damage to that row. */
static bool damage(struct fixture *f, struct row *r, enum damage how)
{
    if (how <= CUT && !r->size)
        return false;
    switch (how) {
    case FLIPPED:
        r->value[r->size / 2] ^= 0x10;
        put(f, r, 0, r->size);
        r->value[r->size / 2] ^= 0x10;
        break;
    case CUT:
        put(f, r, 0, r->size - 1);
        break;
    case LOST:
        lose(f, r, 0);
        break;
    case SHORT_KEY:
        put(f, r, -1, r->size);
        break;
    case LONG_KEY:
    case DAMAGES:
        put(f, r, 1, r->size);
        break;
    }
    return true;
}

static void mend(struct fixture *f, const struct row *r, enum damage how)
{
    if (how >= SHORT_KEY)
        lose(f, r, how == SHORT_KEY ? -1 : 1);
    else
        put(f, r, 0, r->size);
}

/* The n-th row of the whole store. */
static bool nth_row(struct fixture *f, unsigned n, struct row *ret)
{
    struct store_txn *t;
    bool found = false;
    cr_assert_eq(store_begin(f->store, false, &t), 0);
    for (unsigned table = 0; !found && table < TABLE_COUNT; table++) {
        struct store_cursor *c;
        struct slice key, value;
        cr_assert_eq(store_cursor_open(t, (enum store_table)table, &c), 0);
        int err = store_cursor_next(c, &key, &value);
        for (; !err && n; n--)
            err = store_cursor_next(c, &key, &value);
        found = !err;
        if (found) {
            *ret = (struct row){.table = (enum store_table)table, .key_size = key.size, .size = value.size};
            cr_assert_leq(value.size, sizeof ret->value);
            memcpy(ret->key, key.data, key.size);
            memcpy(ret->value, value.data, value.size);
        }
        store_cursor_close(c);
    }
    store_abort(t);
    return found;
}

/* ---- the functions that meet it ---- */

static void check_handed_out(const struct ledger *l)
{
    static const uint8_t published[] = {0xc4, 1, 'm'}; /* as it stands in every message */
    size_t count;
    const struct result *results = ledger_results(l, &count);
    for (size_t i = 0; i < count; i++) {
        const struct slice m = results[i].handed_out.message;
        if (results[i].kind != RESULT_HANDED_OUT)
            continue;
        cr_assert_gt(m.size, sizeof published);
        cr_assert_eq(memcmp((const uint8_t *)m.data + 1, published, sizeof published), 0);
    }
}

static struct ledger *load(struct fixture *f)
{
    struct ledger *l = NULL;
    struct store_txn *t;
    char why[512];
    cr_assert_eq(store_begin(f->store, false, &t), 0);
    int err = ledger_new(t, &l, why, sizeof why);
    store_abort(t);
    cr_assert(!err || err == SHUNT_CORRUPT);
    cr_assert(!err || why[0], "it is said which row cannot be read");
    return err ? NULL : l;
}

static int apply(struct fixture *f, struct ledger *l, const struct batch *b)
{
    struct batch mine = *b;
    struct store_txn *t;
    mine.index = ledger_index(l) + 1;
    cr_assert_eq(store_begin(f->store, true, &t), 0);
    int err = ledger_apply(l, t, &mine);
    check_handed_out(l);
    if (!err)
        err = ledger_seal(l, t);
    store_abort(t);
    return err;
}

static int look(struct fixture *f, struct ledger *l, scene_view_fn *look_at)
{
    struct view v = {.ledger = l};
    struct mpack_buffer to = {0};
    cr_assert_eq(store_begin(f->store, false, &v.txn), 0);
    int err = look_at(&v, &to);
    store_abort(v.txn);
    mpack_buffer_done(&to);
    return err;
}

struct outcome {
    unsigned refused, stopped, went_on;
};

static struct outcome seen[DAMAGES];

static void count(enum damage how, bool loaded, int err)
{
    seen[how].refused += !loaded;
    seen[how].stopped += err != 0;
    seen[how].went_on += loaded && !err;
}

/* A ledger that meets the row when it is loaded or, `later`, when it runs. */
static void damage_row(struct fixture *f, struct row *r, enum damage how, bool later,
                       const struct batch *batch)
{
    struct ledger *l = later ? load(f) : NULL;
    bool done = damage(f, r, how);
    if (done && !later)
        l = load(f);
    for (size_t i = 0; done && l && i < (batch ? 1 : scene_views_count); i++) {
        int err = batch ? apply(f, l, batch) : look(f, l, scene_views[i]);
        cr_assert(!err || err == SHUNT_CORRUPT || (!batch && err == SHUNT_NOT_FOUND), "table %d, %s: %s",
                  (int)r->table, damages[how], err_name(err));
        count(how, true, err);
    }
    if (done && !l)
        count(how, false, 0);
    ledger_free(l);
    if (done)
        mend(f, r, how);
}

/* `context` is the fixture; `batch` what is done or, if there is none, all ways to look are tried. */
static void damage_each_row(void *context, const struct batch *batch)
{
    struct fixture *f = context;
    static struct row r;
    for (unsigned n = 0; nth_row(f, n, &r); n++) {
        for (enum damage how = FLIPPED; how < DAMAGES; how++) {
            damage_row(f, &r, how, false, batch);
            damage_row(f, &r, how, true, batch);
        }
    }
}

/* An odd key stops commands that go by it; to who only looks it is the end of a list. */
static void all_was_seen(enum damage last_stopping)
{
    for (enum damage how = FLIPPED; how < DAMAGES; how++) {
        cr_log_info("%s: refused %u, stopped %u, went on %u", damages[how], seen[how].refused,
                    seen[how].stopped, seen[how].went_on);
        cr_assert(seen[how].refused && seen[how].went_on && (how > last_stopping || seen[how].stopped), "%s",
                  damages[how]);
    }
}

Test(ledger_damage, is_found_by_every_kind_of_command_or_does_it_no_harm)
{
    for (size_t i = 0; i < scene_doings_count; i++) {
        struct fixture f;
        scene_init(&f);
        f.tap = damage_each_row;
        f.tap_context = &f;
        scene_doings[i].run(&f);
        fixture_done(&f);
    }
    all_was_seen(LONG_KEY);
}

Test(ledger_damage, is_found_by_looking_or_does_it_no_harm)
{
    struct fixture f;
    scene_init(&f);
    damage_each_row(&f, NULL);
    fixture_done(&f);
    all_was_seen(LOST);
}

/* ---- rows that contradict each other, all with checksums that are right ---- */

static void plant(struct fixture *f, enum store_table table, struct key key, const void *bytes, size_t size)
{
    struct store_txn *t;
    cr_assert_eq(store_begin(f->store, true, &t), 0);
    cr_assert_eq(store_put(t, table, key_slice(&key), (struct slice){bytes, size}), 0);
    cr_assert_eq(store_commit(t), 0);
}

static uint32_t id_of(struct fixture *f, const char *topic, const char *group)
{
    return fixture_group(f, topic, group)->r.id;
}

/* The dead letter 3 refers to a message of a group. */
static void refer(struct fixture *f, uint32_t group, uint64_t seq)
{
    uint8_t bytes[64];
    struct key key = key_id_seq(ledger_topic(f->l, text("dlq:t:a"))->r.id, 3);
    struct dead_record r = {.origin_group = group, .origin_seq = seq, .reason = DEAD_REJECTED, .died_ms = T0};
    plant(f, TABLE_DEAD, key, bytes, dead_encode(bytes, key_slice(&key), &r));
}

static void a_dead_letter_of_no_group(struct fixture *f)
{
    refer(f, 99, 3);
}
static void a_dead_letter_that_lives(struct fixture *f)
{
    refer(f, id_of(f, "t", "a"), 5);
}
static void a_dead_letter_that_never_failed(struct fixture *f)
{
    refer(f, id_of(f, "t", "a"), 9999);
}
static void a_dead_message_that_waits(struct fixture *f)
{
    plant(f, TABLE_DUE, key_due(id_of(f, "t", "a"), DUE_NORMAL, 0, 4), "", 0);
}
static void a_waiting_message_that_is_held(struct fixture *f)
{
    plant(f, TABLE_DUE, key_due(id_of(f, "t", "a"), DUE_HELD, 0, 7), "", 0);
}

enum meeting { PURGE_DEAD, HAND_OUT, HAND_OUT_DEAD, RESTART };

static struct command command_of(struct fixture *f, enum meeting m)
{
    static const struct slice planted = {"3", 1};
    switch (m) {
    case PURGE_DEAD:
        return (struct command){
            .kind = COMMAND_DLQ_PURGE,
            .dead = {.topic = text("t"), .group = text("a"), .ids = &planted, .ids_count = 1}};
    case HAND_OUT:
        return (struct command){.kind = COMMAND_ASSIGN,
                                .assign = {.group = id_of(f, "t", "a"), .messages = 1, .bytes = 1000}};
    case HAND_OUT_DEAD:
        return (struct command){
            .kind = COMMAND_ASSIGN,
            .assign = {.group = id_of(f, "dlq:t:a", "default"), .messages = 5, .bytes = 1000}};
    case RESTART:
        break;
    }
    return (struct command){.kind = COMMAND_RECOVER};
}

static const struct contradiction {
    void (*make)(struct fixture *f);
    enum meeting met_by;
    int err;
} contradictions[] = {
    {a_dead_letter_of_no_group, PURGE_DEAD, SHUNT_CORRUPT},
    {a_dead_letter_that_lives, PURGE_DEAD, SHUNT_CORRUPT},
    {a_dead_letter_that_never_failed, PURGE_DEAD, SHUNT_CORRUPT},
    {a_dead_letter_of_no_group, HAND_OUT_DEAD, 0}, /* it has no body, so it waits where it is */
    {a_dead_message_that_waits, HAND_OUT, SHUNT_CORRUPT},
    {a_waiting_message_that_is_held, RESTART, SHUNT_CORRUPT},
};

Test(ledger_damage, rows_that_contradict_each_other_stop_who_meets_them)
{
    for (size_t i = 0; i < sizeof contradictions / sizeof *contradictions; i++) {
        const struct contradiction *c = &contradictions[i];
        struct fixture f;
        scene_init(&f);
        struct command command = command_of(&f, c->met_by);
        struct batch b = {.time_ms = T0, .commands = &command, .count = 1};
        struct ledger *l = load(&f);
        cr_assert_eq(apply(&f, l, &b), 0, "contradiction %zu: before there is any", i);
        ledger_free(l);
        c->make(&f);
        l = load(&f);
        int err = apply(&f, l, &b);
        cr_assert_eq(err, c->err, "contradiction %zu: %s", i, err_name(err));
        ledger_free(l);
        fixture_drop(&f);
    }
}

/* A lost message before a damaged one: is the damaged one's number what its key says? The next row has to
 * agree. */
Test(ledger_damage, a_damaged_message_behind_a_lost_one_is_dead_and_the_rest_goes_on)
{
    struct fixture f;
    fixture_init(&f);
    f.careless = true; /* an audit finds the loss */
    topic_create(&f, "t", settings(-1));
    topic_create(&f, "u", settings(-1));
    publish(&f, "t", 7);
    publish(&f, "u", 1);
    for (uint64_t seq = 2; seq <= 6; seq += 4) {
        struct row lost = {.table = TABLE_MESSAGE};
        struct key key = key_id_seq(ledger_topic(f.l, text("t"))->r.id, seq);
        memcpy(lost.key, key.bytes, lost.key_size = key.size);
        lose(&f, &lost, 0);
        flip_message_byte(&f, "t", seq + 1, 17); /* 3, with 4 behind it; 7, with another topic's */
    }
    assign(&f, "t", "default", 10);
    cr_assert_eq(f.handed, 3);
    cr_assert(f.handed_seqs[0] == 1 && f.handed_seqs[1] == 4 && f.handed_seqs[2] == 5);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.dead_lettered[DEAD_CORRUPT], 2);
    fixture_drop(&f);
}

/* The caller of ledger_new() says how much of the sentence it has room for. */
Test(ledger_damage, the_sentence_is_cut_to_the_room_there_is)
{
    struct fixture f;
    struct ledger *l;
    struct store_txn *t;
    char why[8] = "1234567";
    scene_init(&f);
    struct key key = key_id(ledger_topic(f.l, text("t"))->r.id);
    plant(&f, TABLE_TOPIC, key, "no record", 9);
    cr_assert_eq(store_begin(f.store, false, &t), 0);
    cr_assert_eq(ledger_new(t, &l, why, sizeof why), SHUNT_CORRUPT);
    cr_assert_str_eq(why, "a row o");
    cr_assert_eq(ledger_new(t, &l, NULL, 0), SHUNT_CORRUPT);
    store_abort(t);
    fixture_drop(&f);
}
