/* checker: reports, scans and look-ups. */
#include "broker/check/checker.h"

#include "base/check.h"
#include "broker/check.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

atomic_uint_fast64_t check_rows_read;

static const char *const kinds[] = {
    [PROBLEM_CHECKSUM] = "checksum",   [PROBLEM_ORPHAN] = "orphan",   [PROBLEM_MISSING] = "missing",
    [PROBLEM_STATE] = "state",         [PROBLEM_COUNTER] = "counter", [PROBLEM_CONSERVATION] = "conservation",
    [PROBLEM_CATALOGUE] = "catalogue",
};

/* A report that cannot be written is the caller's to notice, by ferror(): the check itself goes on. */
void problem(struct checker *c, enum problem kind, const char *format, ...)
{
    va_list args;
    if (c->problems++ >= PROBLEMS_SHOWN_MAX)
        return;
    (void)fprintf(c->report, "%s: ", kinds[kind]);
    va_start(args, format);
    (void)vfprintf(c->report, format, args);
    va_end(args);
    (void)fputc('\n', c->report);
}

static const char *const table_names[TABLE_COUNT] = {
    [TABLE_META] = "meta",       [TABLE_TOPIC] = "topic",     [TABLE_GROUP] = "group",
    [TABLE_MESSAGE] = "message", [TABLE_DONE] = "done",       [TABLE_ATTEMPT] = "attempt",
    [TABLE_HISTORY] = "history", [TABLE_DUE] = "due",         [TABLE_EXPIRY] = "expiry",
    [TABLE_DEAD] = "dead",       [TABLE_JOB] = "job",         [TABLE_DEDUP] = "dedup",
    [TABLE_CAUSE] = "cause",     [TABLE_AUDIT] = "audit",     [TABLE_RULE] = "rule",
    [TABLE_EDIT] = "edit",       [TABLE_BREAKER] = "breaker", [TABLE_USER] = "user",
    [TABLE_ROLE] = "role",       [TABLE_TOKEN] = "token",     [TABLE_DAMAGED] = "damaged",
};

/* The store counts a table's rows where the table is rooted: a page that is lost or stale, with checksums
 * that are right, shows there. */
static int compare_rows(struct checker *c, enum store_table table, uint64_t found)
{
    char names[128] = "";
    uint64_t says, together;
    int err = store_count(c->txn, table, &together, &says);
    c->rows[table] = found;
    c->scanned |= 1ull << table;
    if (err || (c->scanned & together) != together)
        return err;
    found = 0;
    for (unsigned i = 0; i < TABLE_COUNT; i++) {
        size_t end = strlen(names);
        if (!(together >> i & 1))
            continue;
        (void)snprintf(names + end, sizeof names - end, "%s%s", end ? ", " : "", table_names[i]);
        found += c->rows[i];
    }
    if (says != found) {
        problem(c, PROBLEM_MISSING, "%s: %" PRIu64 " rows were stored, %" PRIu64 " are there", names, says,
                found);
    }
    return 0;
}

/* A search is led to a row by keys in the pages above it, at which no scan looks. */
static int search_again(struct checker *c, enum store_table table, struct slice key, uint64_t *hidden)
{
    struct slice value;
    int err = store_get(c->txn, table, key, &value);
    *hidden += err == SHUNT_NOT_FOUND;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* Rows stand in the order of their keys, each once. Where a page refers twice to one row, another is not there, and the count is right. */
static bool in_order(struct key *last, struct slice key)
{
    bool after = slice_compare((struct slice){last->bytes, last->size}, key) < 0;
    last->size = key.size < sizeof last->bytes ? key.size : sizeof last->bytes;
    memcpy(last->bytes, key.data, last->size);
    return after;
}

int scan(struct checker *c, enum store_table table, row_fn *row)
{
    struct key last = {.size = 0};
    struct store_cursor *cursor;
    struct slice key, value;
    uint64_t rows = 0, hidden = 0, misplaced = 0;
    int err = store_cursor_open(c->txn, table, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value);
    while (!err) {
        rows++;
        misplaced += !in_order(&last, key);
        atomic_fetch_add(&check_rows_read, 1);
        err = row(c, key, value);
        /* What a row lacks is a problem; the row function never says NOT_FOUND. */
        check(err != SHUNT_NOT_FOUND);
        if (!err)
            err = search_again(c, table, key, &hidden);
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    if (hidden) {
        problem(c, PROBLEM_MISSING, "%s: %" PRIu64 " rows are there but a search does not find them",
                table_names[table], hidden);
    }
    if (misplaced) {
        problem(c, PROBLEM_MISSING, "%s: %" PRIu64 " rows do not stand behind the one before them",
                table_names[table], misplaced);
    }
    return err == SHUNT_NOT_FOUND ? compare_rows(c, table, rows) : err;
}

int look_up(struct checker *c, enum store_table table, struct key key, bool *ret_found, struct slice *ret)
{
    struct slice value;
    int err = store_get(c->txn, table, key_slice(&key), &value);
    *ret_found = !err;
    if (!err && ret)
        *ret = value;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

int look_up_attempt(struct checker *c, uint32_t group, uint64_t seq, enum found *ret,
                    struct attempt_record *ret_row)
{
    struct key key = key_id_seq(group, seq);
    struct slice value;
    bool found;
    int err = look_up(c, TABLE_ATTEMPT, key, &found, &value);
    *ret = ABSENT;
    if (!err && found)
        *ret = attempt_decode(key_slice(&key), value, ret_row) == 0 ? FOUND : UNREADABLE;
    return err;
}

/* ---- the catalogue ---- */

static int compare_topic(const void *id, const void *topic)
{
    uint32_t a = *(const uint32_t *)id, b = ((const struct checked_topic *)topic)->r.id;
    return (a > b) - (a < b);
}

struct checked_topic *topic_of(const struct checker *c, uint32_t id)
{
    return c->topic_count ? bsearch(&id, c->topics, c->topic_count, sizeof *c->topics, compare_topic) : NULL;
}

static int compare_group(const void *id, const void *group)
{
    uint32_t a = *(const uint32_t *)id, b = ((const struct checked_group *)group)->r.id;
    return (a > b) - (a < b);
}

struct checked_group *group_of(const struct checker *c, uint32_t id)
{
    return c->group_count ? bsearch(&id, c->groups, c->group_count, sizeof *c->groups, compare_group) : NULL;
}

static int load_chunk(struct checker *c, struct checked_group *g, uint64_t number)
{
    struct key key = key_id_seq(g->r.id, number);
    struct slice value;
    bool found;
    g->chunk_loaded = false;
    int err = look_up(c, TABLE_DONE, key, &found, &value);
    if (err)
        return err;
    if (!found || chunk_decode(key_slice(&key), value, g->words) != 0) {
        for (size_t i = 0; i < CHUNK_BYTES / 8; i++)
            g->words[i] = 0;
    }
    g->chunk = number;
    g->chunk_loaded = true;
    return 0;
}

int bit_of(struct checker *c, struct checked_group *g, uint64_t seq, bool *ret)
{
    *ret = true;
    if (seq < g->r.floor)
        return 0;
    int err = g->chunk_loaded && g->chunk == seq / CHUNK_BITS ? 0 : load_chunk(c, g, seq / CHUNK_BITS);
    *ret = !err && (g->words[seq % CHUNK_BITS / 64] >> (seq % 64) & 1);
    return err;
}

struct name topic_name(const struct checked_topic *t)
{
    struct name n;
    if (t->readable)
        (void)snprintf(n.text, sizeof n.text, "%s", t->r.name);
    else
        (void)snprintf(n.text, sizeof n.text, "topic %" PRIu32, t->r.id);
    return n;
}

struct name group_name(const struct checked_group *g)
{
    struct name n;
    if (g->readable && g->topic && g->topic->readable)
        (void)snprintf(n.text, sizeof n.text, "%s/%s", g->topic->r.name, g->r.name);
    else
        (void)snprintf(n.text, sizeof n.text, "group %" PRIu32, g->r.id);
    return n;
}
