/* export_rows: see export_rows.h. */
#include "broker/export_rows.h"
#include "broker/export_json.h"

#include "broker/check.h"
#include "broker/core/schema.h"
#include "broker/core/schema_edit.h"
#include "broker/damage_guard.h"
#include "broker/journal/store_journal.h"
#include "broker/store/store.h"
#include "proto/errors.h"
#include "proto/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define STUCK_US 400000 /* of the processor's time, without a row: LMDB goes round in damaged pages */

struct reader {
    const struct config *config;
    int fd;
    struct export_progress *p;
    struct store *store;
    struct store_txn *txn;
    struct topic_record *topics; /* in order of id */
    struct group_record *groups; /* in order of id */
    size_t topics_count, groups_count;
    bool groups_damaged;
    bool skip_misplaced; /* an earlier reader has taken them */
};

static _Noreturn void end(struct reader *r, int err)
{
    r->p->err = err;
    _exit(err ? 1 : 0);
}

/* ---- opening ---- */

static void open_store(struct reader *r)
{
    const struct config *c = r->config;
    struct export_progress *p = r->p;
    const char *dir = c->text[CONFIG_data];
    struct store_lmdb_options lmdb = {.dir = dir,
                                      .map_bytes = (uint64_t)c->number[CONFIG_map_bytes],
                                      .map_bytes_max = (uint64_t)c->number[CONFIG_map_bytes_max],
                                      .read_only = true,
                                      .cut = true};
    struct store_journal_options journal = {.dir = dir,
                                            .bytes = (uint64_t)c->number[CONFIG_journal_bytes],
                                            .memory_bytes = (uint64_t)c->number[CONFIG_journal_memory],
                                            .read_only = true};
    int err = store_lmdb_open(&lmdb, &journal.behind, p->why, sizeof p->why);
    r->store = journal.behind;
    if (!err && !p->no_journal) {
        p->phase = EXPORT_JOURNAL;
        err = store_journal_open(&journal, &r->store, p->why, sizeof p->why);
        p->has_journal = !err && r->store != journal.behind;
    }
    if (err)
        end(r, err);
    p->phase = EXPORT_CATALOGUE;
    err = store_begin(r->store, false, &r->txn);
    if (err)
        end(r, err);
}

/* ---- the catalogue ---- */

static void *grown(void *array, size_t count, size_t size)
{
    if (count & (count - 1)) /* it grows at powers of two */
        return array;
    void *more = realloc(array, (count ? 2 * count : 1) * size);
    if (!more)
        _exit(1);
    return more;
}

static void read_table(struct reader *r, enum store_table table,
                       void take(struct reader *r, struct slice key, struct slice value))
{
    struct store_cursor *cursor;
    struct slice key, value;
    int err = store_cursor_open(r->txn, table, &cursor);
    if (!err)
        err = store_cursor_next(cursor, &key, &value);
    for (; !err; err = store_cursor_next(cursor, &key, &value)) {
        atomic_fetch_add(&check_rows_read, 1);
        take(r, key, value);
    }
    if (err != SHUNT_NOT_FOUND)
        end(r, err);
    store_cursor_close(cursor);
}

static void take_topic(struct reader *r, struct slice key, struct slice value)
{
    r->topics = grown(r->topics, r->topics_count, sizeof *r->topics);
    struct topic_record *t = &r->topics[r->topics_count];
    if (topic_decode(key, value, t) != 0)
        return;
    r->topics_count++;
    if (!t->origin_group && !t->dropped)
        r->p->stored += t->stored;
}

static void take_group(struct reader *r, struct slice key, struct slice value)
{
    r->groups = grown(r->groups, r->groups_count, sizeof *r->groups);
    if (group_decode(key, value, &r->groups[r->groups_count]) == 0)
        r->groups_count++;
    else
        r->groups_damaged = true;
}

static const struct topic_record *topic_of(const struct reader *r, uint32_t id)
{
    for (size_t i = 0; i < r->topics_count; i++) {
        if (r->topics[i].id == id)
            return &r->topics[i];
    }
    return NULL;
}

/* ---- the dead letter ---- */

static void set_error(struct reader *r, json_t *to, const struct group_record *g, uint64_t seq,
                      const struct attempt_record *attempt)
{
    struct history_record history;
    struct slice value;
    if (!attempt->rows || attempt->row_next < 2)
        return;
    struct key key = key_history(g->id, seq, attempt->row_next - 1);
    if (store_get(r->txn, TABLE_HISTORY, key_slice(&key), &value) != 0 ||
        history_decode(key_slice(&key), value, &history) != 0)
        return;
    if (history.error_type.size)
        export_set_bytes(to, "error_type", history.error_type);
    if (history.error_message.size)
        export_set_bytes(to, "error_message", history.error_message);
    if (history.error_stack.size)
        export_set_bytes(to, "error_stack", history.error_stack);
}

/* What an operator made of it is what its group gets: `m` becomes that. */
static int set_edit(struct reader *r, json_t *to, struct key key, struct message_view *m)
{
    struct message_head head;
    struct mpack_reader from;
    struct slice value, bytes;
    const char *why;
    int err = store_get(r->txn, TABLE_EDIT, key_slice(&key), &value);
    if (!err)
        err = message_decode(key_slice(&key), value, true, &head, &bytes);
    if (err)
        return err;
    mpack_read_init(&from, bytes.data, bytes.size);
    struct message_view edited;
    err = message_read(&from, BODY_BYTES_MAX, &edited, &why);
    if (err)
        return err;
    *m = edited;
    json_object_set_new(to, "edited", json_true());
    return 0;
}

/* What is known of it in that group, if it is dead there. fails: what was stored of it cannot be read. */
static int set_dead(struct reader *r, json_t *to, const struct group_record *g, uint64_t seq,
                    struct message_view *m, bool *ret_dead)
{
    static const char *const reasons[] = DEAD_REASON_NAMES;
    struct attempt_record attempt;
    struct dead_record dead;
    struct slice value;
    struct key key = key_id_seq(g->id, seq);
    int err = store_get(r->txn, TABLE_ATTEMPT, key_slice(&key), &value);
    if (err == SHUNT_NOT_FOUND)
        return 0;
    if (!err)
        err = attempt_decode(key_slice(&key), value, &attempt);
    if (err || attempt.state != ATTEMPT_DEAD)
        return err;
    *ret_dead = true;
    json_object_set_new(to, "state", json_string("dead"));
    json_object_set_new(to, "group", json_string(g->name));
    export_set_number(to, "attempts", attempt.attempts);
    export_set_number(to, "attempts_total", attempt.attempts_total);
    export_set_number(to, "deliveries_total", attempt.deliveries_total);
    export_set_number(to, "generation", attempt.generation);
    set_error(r, to, g, seq, &attempt);
    if (attempt.edit)
        err = set_edit(r, to, key_history(g->id, seq, EDIT_ROW_MESSAGE), m);
    key = key_id_seq(g->dlq, attempt.dead_seq);
    int dead_err = store_get(r->txn, TABLE_DEAD, key_slice(&key), &value);
    if (!dead_err)
        dead_err = dead_decode(key_slice(&key), value, &dead);
    if (dead_err)
        return dead_err;
    json_object_set_new(to, "reason", json_string(reasons[dead.reason]));
    export_set_time(to, "died", dead.died_ms);
    return err;
}

/* Not where that has ended a reader, or many. */
static bool looks_at_groups(const struct reader *r)
{
    const struct export_progress *p = r->p;
    return !p->no_details && (p->without.topic != p->at.topic || p->without.seq != p->at.seq);
}

/* Of the first group in which it is dead. */
static void set_details(struct reader *r, json_t *to, uint32_t topic, uint64_t seq, struct message_view *m)
{
    bool dead = false;
    int err = 0;
    if (!looks_at_groups(r)) {
        r->p->without_details++;
        return;
    }
    for (size_t i = 0; i < r->groups_count && !dead && !err; i++) {
        if (r->groups[i].topic == topic && !r->groups[i].dropped)
            err = set_dead(r, to, &r->groups[i], seq, m, &dead);
    }
    r->p->without_details += err != 0;
}

/* ---- rows ---- */

static void write_line(struct reader *r, json_t *line)
{
    r->p->phase = EXPORT_WRITE;
    char *text = json_dumps(line, JSON_COMPACT);
    if (!text)
        end(r, SHUNT_NO_MEMORY);
    size_t size = strlen(text);
    text[size] = '\n'; /* in the place of its terminator */
    for (size_t at = 0; at <= size;) {
        ssize_t wrote = write(r->fd, text + at, size + 1 - at);
        if (wrote < 0)
            end(r, store_file_error(errno));
        at += (size_t)wrote;
    }
    free(text);
    json_decref(line);
}

static void take_message(struct reader *r, const struct message_head *head, struct message_view *m)
{
    struct export_progress *p = r->p;
    char id[TOPIC_BYTES_MAX + 32];
    const struct topic_record *t = topic_of(r, p->at.topic);
    if (t && t->dropped) {
        p->dropped++;
        return;
    }
    p->phase = EXPORT_DETAILS;
    if (looks_at_groups(r) && !r->groups_damaged &&
        !export_needed(r->txn, r->groups, r->groups_count, p->at.topic, p->at.seq)) {
        p->done++;
        return;
    }
    json_t *line = json_object();
    if (t)
        (void)snprintf(id, sizeof id, "%s/%llu", t->name, (unsigned long long)p->at.seq);
    else
        (void)snprintf(id, sizeof id, "#%u/%llu", p->at.topic, (unsigned long long)p->at.seq);
    json_object_set_new(line, "id", json_string(id));
    if (t)
        json_object_set_new(line, "topic", json_string(t->name));
    set_details(r, line, p->at.topic, p->at.seq, m);
    export_set_time(line, "published", head->published_ms);
    export_set_time(line, "due", head->due_ms);
    export_set_headers(line, m);
    if (m->key.size)
        export_set_bytes(line, "key", m->key);
    if (message_ttl_ms(head) > 0)
        export_set_number(line, "ttl_ms", (uint64_t)message_ttl_ms(head));
    export_set_time(line, "deadline", m->deadline_ms);
    export_set_number(line, "size", m->body.size);
    export_set_bytes(line, "body", m->body);
    write_line(r, line);
    p->nameless += !t;
    p->exported++;
}

static void take_row(struct reader *r, struct slice key, struct slice value)
{
    struct message_head head;
    struct message_view m;
    struct mpack_reader from;
    struct slice bytes;
    const char *why;
    r->p->phase = EXPORT_MESSAGE;
    int err = message_decode(key, value, true, &head, &bytes);
    if (!err) {
        mpack_read_init(&from, bytes.data, bytes.size);
        err = message_read(&from, BODY_BYTES_MAX, &m, &why);
    }
    if (err)
        r->p->damaged++;
    else
        take_message(r, &head, &m);
}

/* ---- the walk ---- */

/* Where a row is that the walk met. Pages may lie in each other's place, or be copies of each other; then the walk meets rows early or late. */
enum belongs { BELONGS_HERE, BELONGS_ELSEWHERE, BELONGS_NOWHERE };

static bool is_same(struct export_place a, struct export_place b)
{
    return a.topic == b.topic && a.seq == b.seq;
}

/* A row belongs where a search for it ends. */
static enum belongs belongs(struct reader *r, struct export_place at, struct slice key, struct slice value)
{
    struct store_cursor *cursor;
    struct slice found_key, found_value;
    struct export_place found = {0};
    struct key wanted = key_id_seq(at.topic, at.seq);
    int err = store_cursor_open(r->txn, TABLE_MESSAGE, &cursor);
    if (err)
        end(r, err);
    err = store_cursor_seek(cursor, key_slice(&wanted), &found_key, &found_value);
    bool led = !err && key_read_id_seq(found_key, &found.topic, &found.seq) && is_same(found, at);
    store_cursor_close(cursor);
    if (!led)
        return BELONGS_NOWHERE;
    return found_key.data == key.data || found_value.data == value.data ? BELONGS_HERE : BELONGS_ELSEWHERE;
}

static bool is_before(struct export_place a, struct export_place b)
{
    return a.topic < b.topic || (a.topic == b.topic && a.seq < b.seq);
}

static void walk_to(struct reader *r, struct slice key, struct slice value)
{
    struct export_progress *p = r->p;
    struct export_place at = {0};
    if (!key_read_id_seq(key, &at.topic, &at.seq))
        end(r, SHUNT_CORRUPT);
    enum belongs where = is_same(at, p->next) ? BELONGS_HERE : belongs(r, at, key, value);
    if (where == BELONGS_NOWHERE && !p->no_misplaced && !r->skip_misplaced) {
        p->at = at;
        take_row(r, key, value);
        p->misplaced_taken = true;
    } else if (where == BELONGS_HERE && !is_before(at, p->next)) {
        p->misplaced_taken = r->skip_misplaced = false;
        p->at = p->next = at;
        take_row(r, key, value);
        p->next.seq++;
    }
    p->phase = EXPORT_SEEK;
}

static _Noreturn void read_messages(struct reader *r, bool probe)
{
    struct export_progress *p = r->p;
    struct store_cursor *cursor;
    struct slice key, value;
    struct key first = key_id_seq(p->next.topic, p->next.seq);
    p->phase = EXPORT_SEEK;
    int err = store_cursor_open(r->txn, TABLE_MESSAGE, &cursor);
    if (!err)
        err = store_cursor_seek(cursor, key_slice(&first), &key, &value);
    for (; !err && !probe; err = store_cursor_next(cursor, &key, &value)) {
        atomic_fetch_add(&check_rows_read, 1);
        walk_to(r, key, value);
    }
    if (err && err != SHUNT_NOT_FOUND)
        end(r, err);
    if (!probe)
        p->phase = EXPORT_ENDED;
    end(r, 0);
}

_Noreturn void export_read(const struct config *config, int fd, bool probe, struct export_progress *p)
{
    struct reader r = {.config = config, .fd = fd, .p = p, .skip_misplaced = p->misplaced_taken};
    p->phase = EXPORT_OPEN;
    p->err = 0;
    damage_guard(config->text[CONFIG_data]);
    const struct itimerval often = {{0, STUCK_US}, {0, STUCK_US}};
    (void)setitimer(ITIMER_VIRTUAL, &often, NULL);
    open_store(&r);
    if (!p->no_catalogue && !probe) {
        p->stored = 0;
        read_table(&r, TABLE_TOPIC, take_topic);
        read_table(&r, TABLE_GROUP, take_group);
        p->counted = true;
    }
    read_messages(&r, probe);
}
