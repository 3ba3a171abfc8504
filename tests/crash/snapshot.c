/* snapshot: see snapshot.h. The store is opened, checked and read by the broker's own code, within this
 * process. */
#include "tests/crash/snapshot.h"

#include "broker/check.h"
#include "broker/core/view.h"
#include "broker/journal/store_journal.h"
#include "broker/store/store_version.h"
#include "proto/errors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MAP_BYTES      (16ull << 20)
#define PAGE_ROWS      1000
#define JOURNAL_BYTES  (4ull << 20)
#define JOURNAL_MEMORY (1ull << 20)

uint64_t snapshot_hash(const void *bytes, size_t size)
{
    return XXH3_64bits(bytes, size);
}

/* ---- all of it ---- */

/* What says where the journal goes on is another one after each merge, which changes nothing. */
static bool is_place(enum store_table table, struct slice key)
{
    return table == TABLE_META && slice_is(key, STORE_JOURNAL_KEY);
}

static int hash_table(struct store_txn *txn, enum store_table table, XXH3_state_t *state)
{
    struct store_cursor *cursor;
    struct slice key, value;
    int err = store_cursor_open(txn, table, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value);
    while (!err) {
        uint64_t sizes[3] = {table, key.size, value.size};
        if (!is_place(table, key)) {
            (void)XXH3_64bits_update(state, sizes, sizeof sizes);
            (void)XXH3_64bits_update(state, key.data, key.size);
            (void)XXH3_64bits_update(state, value.data, value.size);
        }
        err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

static int hash_store(struct store_txn *txn, bool bits, uint64_t *ret)
{
    XXH3_state_t *state = XXH3_createState();
    if (!state)
        return SHUNT_NO_MEMORY;
    (void)XXH3_64bits_reset(state);
    int err = 0;
    for (int table = 0; table < TABLE_COUNT && !err; table++) {
        if (bits || table != TABLE_DONE)
            err = hash_table(txn, (enum store_table)table, state);
    }
    *ret = XXH3_64bits_digest(state);
    (void)XXH3_freeState(state);
    return err;
}

static bool check(struct store *store, char *why)
{
    char *report = NULL;
    size_t size = 0;
    uint64_t problems = 0;
    FILE *to = open_memstream(&report, &size);
    int err = to ? check_store(store, to, &problems) : SHUNT_NO_MEMORY;
    if (to)
        (void)fclose(to); /* memory */
    if (err)
        (void)snprintf(why, SNAPSHOT_WHY_BYTES, "the check failed: %s", err_name(err));
    else if (problems)
        (void)snprintf(why, SNAPSHOT_WHY_BYTES, "the check found: %s", report);
    free(report);
    return !err && !problems;
}

/* ---- where each message is ---- */

static bool is(struct slice s, const char *text)
{
    return slice_is(s, text);
}

static void read_row(struct mpack_reader *r, struct snapshot_row *row)
{
    for (uint32_t pairs = mpack_read_map(r); pairs && !r->failed; pairs--) {
        struct slice key = mpack_read_str(r);
        if (is(key, "seq")) {
            row->seq = mpack_read_uint(r);
        } else if (is(key, "attempts")) {
            row->attempts = mpack_read_uint(r);
        } else if (is(key, "deliveries")) {
            row->deliveries = mpack_read_uint(r);
        } else if (is(key, "generation")) {
            row->generation = mpack_read_uint(r);
        } else if (is(key, "message")) {
            struct slice message = mpack_read_any(r);
            row->body_hash = snapshot_hash(message.data, message.size);
        } else if (is(key, "origin")) {
            struct slice origin = mpack_read_str(r);
            const char *slash = memrchr(origin.data, '/', origin.size);
            row->dead = true;
            row->seq = slash ? strtoull(slash + 1, NULL, 10) : 0; /* the key that follows is no digit */
        } else {
            (void)mpack_read_any(r);
        }
    }
}

/* One page of rows; returns whether there are more. `*after` goes on. */
static bool read_page(struct snapshot_topic *t, struct mpack_buffer *page, uint64_t *after, bool *ret_ok)
{
    struct mpack_reader r;
    mpack_read_init(&r, page->data, page->size);
    uint32_t rows = mpack_read_array(&r);
    struct snapshot_row *all = realloc(t->rows, (t->count + rows + 1) * sizeof *all);
    *ret_ok = all != NULL;
    if (!all)
        return false;
    t->rows = all;
    for (uint32_t i = 0; i < rows; i++) {
        struct mpack_reader again = r;
        struct snapshot_row row = {0};
        read_row(&r, &row);
        for (uint32_t pairs = mpack_read_map(&again); row.dead && pairs && !again.failed; pairs--) {
            if (is(mpack_read_str(&again), "seq"))
                *after = mpack_read_uint(&again); /* its number in the DLQ */
            else
                (void)mpack_read_any(&again);
        }
        if (!row.dead)
            *after = row.seq;
        t->rows[t->count++] = row;
    }
    bool more = mpack_read_bool(&r);
    *ret_ok = !r.failed;
    return more;
}

static int read_topic(const struct view *v, struct group *g, struct snapshot_topic *t)
{
    for (int dead = 0; dead < 2; dead++) {
        uint64_t after = 0;
        bool more = true;
        while (more) {
            struct mpack_buffer page = {0};
            bool ok = false;
            int err = dead ? view_dead_list(v, g, after, PAGE_ROWS, NULL, &page)
                           : view_peek(v, g, after, PAGE_ROWS, true, &page);
            if (!err)
                more = read_page(t, &page, &after, &ok);
            mpack_buffer_done(&page);
            if (err || !ok)
                return err ? err : SHUNT_NO_MEMORY;
        }
    }
    return 0;
}

static uint64_t no_members(void *context, uint32_t group)
{
    (void)context, (void)group;
    return 0;
}

static int read_all(struct store_txn *txn, struct snapshot *s, char *why)
{
    struct ledger *ledger = NULL;
    int err = ledger_new(txn, &ledger, why, SNAPSHOT_WHY_BYTES);
    struct view v = {.ledger = ledger, .txn = txn, .members = no_members};
    struct groups_cursor cursor = {0};
    struct group_numbers figures;
    while (!err && view_next_group(&v, &cursor, &figures) && s->topic_count < SNAPSHOT_TOPICS_MAX) {
        struct slice name = {figures.topic, strlen(figures.topic)};
        int missing;
        struct group *g = ledger_group(ledger, name, (struct slice){"default", 7}, &missing);
        struct snapshot_topic *t = &s->topics[s->topic_count++];
        (void)snprintf(t->name, sizeof t->name, "%s", figures.topic);
        t->published = figures.counts->published;
        err = g ? read_topic(&v, g, t) : missing;
    }
    for (uint64_t job = 1; job < 64 && !err; job++) {
        struct mpack_buffer ignored = {0};
        if (view_job(&v, job, &ignored) == 0)
            s->jobs |= 1ull << job;
        mpack_buffer_done(&ignored);
    }
    ledger_free(ledger);
    return err;
}

/* Rows are read even where the hash cannot be: what a damaged store still shows must be right. */
static bool read_store(struct store *store, bool rows, struct snapshot *s, char *why)
{
    struct store_txn *txn;
    int err = store_begin(store, false, &txn);
    if (!err) {
        err = hash_store(txn, true, &s->hash);
        if (rows && !err)
            err = hash_store(txn, false, &s->hash_but_bits);
        int rows_err = rows ? read_all(txn, s, why) : 0;
        err = err ? err : rows_err;
        store_abort(txn);
    }
    bool ok = check(store, why);
    if (err && ok)
        (void)snprintf(why, SNAPSHOT_WHY_BYTES, "it is in order but cannot be read: %s", err_name(err));
    return ok && !err;
}

/* As the server does it. `ret_is_there`: there is a store, whether or not it opens with its journal. */
static int open_store(const char *dir, bool read_only, enum snapshot_journal journal, struct store **ret,
                      bool *ret_is_there, char *why)
{
    struct store_lmdb_options lmdb = {.dir = dir,
                                      .map_bytes = MAP_BYTES,
                                      .map_bytes_max = MAP_BYTES,
                                      .create = !read_only,
                                      .read_only = read_only};
    struct store_journal_options options = {.dir = dir,
                                            .bytes = JOURNAL_BYTES,
                                            .memory_bytes = JOURNAL_MEMORY,
                                            .keep_padded = true,
                                            .create = journal == SNAPSHOT_ON,
                                            .end = journal == SNAPSHOT_OFF,
                                            .read_only = read_only};
    int err = store_lmdb_open(&lmdb, &options.behind, why, SNAPSHOT_WHY_BYTES);
    *ret_is_there = !err;
    return err ? err : store_journal_open(&options, ret, why, SNAPSHOT_WHY_BYTES);
}

bool snapshot_take(const char *dir, bool rows, struct snapshot *ret, char *why)
{
    struct store *store = NULL;
    bool is_there;
    *ret = (struct snapshot){0};
    int err = open_store(dir, true, SNAPSHOT_AUTO, &store, &is_there, why);
    if (err)
        return err == SHUNT_NOT_FOUND && !is_there;
    ret->exists = true;
    bool ok = read_store(store, rows, ret, why);
    store_close(store);
    return ok;
}

static bool same_rows(const struct snapshot_topic *a, const struct snapshot_topic *b)
{
    bool same = a->count == b->count && a->published == b->published && strcmp(a->name, b->name) == 0;
    for (size_t i = 0; i < a->count && same; i++) {
        const struct snapshot_row *x = &a->rows[i], *y = &b->rows[i];
        same = x->seq == y->seq && x->body_hash == y->body_hash && x->generation == y->generation &&
               x->attempts == y->attempts && x->deliveries == y->deliveries && x->dead == y->dead;
    }
    return same;
}

bool snapshot_same(const struct snapshot *s, const struct snapshot *other)
{
    bool same = s->hash_but_bits == other->hash_but_bits && s->topic_count == other->topic_count;
    for (size_t i = 0; i < s->topic_count && same; i++)
        same = same_rows(&s->topics[i], &other->topics[i]);
    return same;
}

void snapshot_done(struct snapshot *s)
{
    for (size_t i = 0; i < s->topic_count; i++)
        free(s->topics[i].rows);
    *s = (struct snapshot){0};
}

/* ---- recovery ---- */

static int recover(struct store *store, char *why)
{
    struct store_txn *txn;
    struct ledger *ledger = NULL;
    int err = store_begin(store, true, &txn);
    if (err)
        return err;
    err = ledger_new(txn, &ledger, why, SNAPSHOT_WHY_BYTES);
    if (!err) {
        struct command command = {.kind = COMMAND_RECOVER};
        struct batch batch = {.index = ledger_index(ledger) + 1,
                              .time_ms = ledger_time(ledger) + 1,
                              .commands = &command,
                              .count = 1};
        err = ledger_apply(ledger, txn, &batch);
    }
    if (!err)
        err = ledger_seal(ledger, txn);
    if (err)
        store_abort(txn);
    else
        err = store_commit(txn);
    ledger_free(ledger);
    return err;
}

bool snapshot_recover(const char *dir, enum snapshot_journal journal, char *why)
{
    struct store *store = NULL;
    bool is_there;
    if (open_store(dir, false, journal, &store, &is_there, why) != 0)
        return false;
    int err = recover(store, why);
    if (err)
        (void)snprintf(why, SNAPSHOT_WHY_BYTES, "it cannot be recovered: %s", err_name(err));
    bool ok = !err && check(store, why);
    store_close(store);
    return ok;
}
