/* The journal's store: open, close; and the table by which it is called. */
#include "broker/journal/store_journal_private.h"

#include "base/check.h"
#include "base/magic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* Address space beyond what a generation is to hold: the record that goes beyond it, and the one that is begun then. */
#define ROOM_BYTES (160ull << 20)

/* Of what journal_open() says. */
#define WHY_BYTES 512

static const struct store_ops journal_ops;

static void say(char *ret_why, size_t why_bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(char *ret_why, size_t why_bytes, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(ret_why, why_bytes, format, args);
    va_end(args);
}

/* ---- opening ---- */

#define REPLAY_MAGIC 0x7265706cu

/* What is given to replay(). */
struct replay {
    uint32_t magic;
    struct journal_store *store;
};

/* Two generations become one: what was below the second may have been in the first. So whether anything is below is what the row before it
 * says, or, if there is none, the store behind; what was not below the second and is not in the first is nowhere. */
static int find_below(struct journal_store *s, struct row *row)
{
    const struct row *old = generation_find(s->filling, row_table(row), row_key(row));
    struct store_txn *below;
    struct slice value;
    int err = 0;
    bool is = old && row_below(old);
    if (!old && row_below(row)) {
        err = journal_below(s, &below);
        if (!err)
            err = store_get(below, row_table(row), row_key(row), &value);
        is = !err;
    }
    row->head = (uint8_t)(is ? row->head | ROW_BELOW : row->head & ~ROW_BELOW);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* A record that the store behind does not have. */
static int replay(void *context, struct journal_place place, struct slice body)
{
    struct journal_store *s = magic_of(context, replay, REPLAY_MAGIC)->store;
    struct generation *g = s->filling;
    if (generation_record_room(g) != 0 || g->room - g->used < body.size)
        return SHUNT_NO_MEMORY;
    char *bytes = g->bytes + g->used;
    memcpy(bytes, body.data, body.size);
    g->used += body.size;
    for (struct slice left = {bytes, body.size}; left.size;) {
        struct row *row = row_take(&left), *old;
        if (!row)
            return SHUNT_CORRUPT;
        int err = find_below(s, row);
        if (!err)
            err = generation_set(g, row, &old);
        if (err)
            return err;
    }
    generation_recorded(g, (size_t)(bytes - g->bytes), place);
    return 0;
}

/* All that is read of the store behind, and what it says of the journal, are of one commit. */
static int pin(struct journal_store *s)
{
    struct store_txn *below;
    int err = journal_below(s, &below);
    return err ? err : journal_meta_read(below, &s->meta);
}

static int open_file(struct journal_store *s, struct journal_file *file, const char *dir, char *ret_why,
                     size_t why_bytes)
{
    struct replay context = {.magic = REPLAY_MAGIC, .store = s};
    char said[WHY_BYTES] = "the store behind cannot be read";
    int err = 0;
    if (s->read_only)
        err = pin(s); /* else another process can put records away between the two looks */
    if (err) {
        file->ops->close(file);
        say(ret_why, why_bytes, "%s: %s", dir, said);
        return err;
    }
    err = journal_open(file, s->meta.id, s->meta.oldest, s->meta.from, s->read_only, replay, &context,
                       &s->journal, said, sizeof said);
    if (err)
        say(ret_why, why_bytes, "%s/journal: %s", dir, said);
    if (!err && journal_next(s->journal).number != s->meta.from.number)
        s->filling->next = journal_next(s->journal);
    return err ? err : journal_keep_old(s);
}

static int create_file(struct journal_store *s, struct journal_file *file, char *ret_why, size_t why_bytes)
{
    struct store_txn *txn;
    uint64_t bytes = s->ready_bytes < JOURNAL_FILE_BYTES_FIRST ? JOURNAL_FILE_BYTES_FIRST : s->ready_bytes;
    if (bytes > s->bytes)
        bytes = s->bytes;
    uint8_t *id = s->meta.id;
    int err = getrandom(id, JOURNAL_ID_BYTES, 0) == (ssize_t)JOURNAL_ID_BYTES ? 0 : SHUNT_IO;
    if (!err)
        err = journal_create(file, id, bytes, 1, &s->journal, ret_why, why_bytes);
    if (!err)
        err = store_begin(s->behind, true, &txn);
    if (err)
        return err;
    s->meta.from = s->meta.oldest = journal_next(s->journal);
    err = journal_meta_write(txn, &s->meta);
    if (!err)
        return store_commit(txn);
    store_abort(txn);
    return err;
}

/* Whether the store behind names a journal, and where it goes on. */
static int look(struct store *behind, struct journal_meta *ret)
{
    struct store_txn *txn;
    int err = store_begin(behind, false, &txn);
    if (err)
        return err;
    err = journal_meta_read(txn, ret);
    store_abort(txn);
    return err;
}

static void close_all(struct journal_store *s)
{
    merge_stop(&s->merge);
    journal_below_close(s);
    journal_close(s->journal);
    generation_free(s->filling);
    generation_free(s->frozen);
    generation_free(s->spare);
    for (unsigned i = 0; i < TABLE_COUNT; i++)
        holes_done(&s->holes[i]);
    free(s->undo);
    free(s->stretches);
    free(s);
}

static int make(const struct store_journal_options *o, struct journal_file *file, struct journal_store **ret)
{
    struct journal_store *s = calloc(1, sizeof *s);
    uint64_t file_bytes = 0;
    if (!s)
        return SHUNT_NO_MEMORY;
    s->base.ops = &journal_ops;
    s->behind = o->behind;
    s->read_only = o->read_only;
    s->keep_padded = o->keep_padded;
    s->bytes = s->bytes_max = o->bytes;
    s->ready_bytes = o->ready_bytes;
    s->memory_bytes = o->memory_bytes;
    int err = file->ops->size(file, &file_bytes);
    size_t room = (size_t)(o->memory_bytes + ROOM_BYTES);
    size_t keep = (size_t)o->memory_bytes / 2 / JOURNAL_BLOCK_BYTES * JOURNAL_BLOCK_BYTES;
    s->filling = generation_new(room + file_bytes, keep); /* at the start it holds all there is */
    s->spare = generation_new(room, keep);
    if (!err)
        err = s->filling && s->spare ? merge_start(&s->merge, o->threaded && !o->read_only) : SHUNT_NO_MEMORY;
    if (!err) {
        *ret = s;
        return 0;
    }
    close_all(s);
    return err;
}

/* The store behind has everything, and says that there is no journal. */
static int end(struct journal_store *s)
{
    struct store_txn *txn;
    int err = journal_drain(s);
    while (!err && journal_keeps(s)) {
        journal_ask_away(s);
        err = journal_take_away(s, true);
        if (!err && s->no_away)
            err = SHUNT_NO_SPACE;
    }
    journal_below_close(s);
    if (!err)
        err = store_begin(s->behind, true, &txn);
    if (err)
        return err;
    err = journal_meta_delete(txn);
    if (!err)
        return store_commit(txn);
    store_abort(txn);
    return err;
}

/* The file, and the store before it, not yet opened. */
static int begin(const struct store_journal_options *o, bool has, struct journal_file **ret_file,
                 struct journal_store **ret, char *ret_why, size_t why_bytes)
{
    int err = 0;
    *ret_file = o->file;
    if (!o->file)
        err = journal_file_open(o->dir, !has, o->read_only, ret_file, ret_why, why_bytes);
    if (err == SHUNT_NOT_FOUND) {
        say(ret_why, why_bytes,
            "the store in %s goes with a journal, but %s/journal is not there, and only that has what was "
            "accepted "
            "last: put it back beside the store",
            o->dir, o->dir);
        return SHUNT_CORRUPT;
    }
    if (err)
        return err;
    err = make(o, *ret_file, ret);
    if (err) {
        say(ret_why, why_bytes, "cannot begin with the journal of the store in %s: %s", o->dir,
            err_text(err));
        (*ret_file)->ops->close(*ret_file);
    }
    return err;
}

/* As long as it may become. */
static int map_file(struct journal_store *s, struct journal_file *file, const char *dir, char *ret_why,
                    size_t why_bytes)
{
    s->map = file->ops->map(file, s->bytes);
    if (s->map)
        return 0;
    say(ret_why, why_bytes, "%s/journal: no address space for %llu bytes: lower journal-bytes", dir,
        (unsigned long long)s->bytes);
    return SHUNT_NO_MEMORY;
}

static int open_both(const struct store_journal_options *o, bool has, const struct journal_meta *meta,
                     struct journal_store **ret, char *ret_why, size_t why_bytes)
{
    struct journal_store *s;
    struct journal_file *file;
    int err = begin(o, has, &file, &s, ret_why, why_bytes);
    if (err)
        return err;
    s->meta = *meta;
    err = has ? open_file(s, file, o->dir, ret_why, why_bytes) : create_file(s, file, ret_why, why_bytes);
    if (!err && s->bytes < journal_bytes(s->journal))
        s->bytes = s->bytes_max = journal_bytes(s->journal);
    if (!err)
        err = map_file(s, file, o->dir, ret_why, why_bytes);
    if (err) {
        close_all(s);
        return err;
    }
    store_usage(s->behind, &s->usage);
    *ret = s;
    return 0;
}

static int end_it(const struct store_journal_options *o, struct journal_store *s, char *ret_why,
                  size_t why_bytes)
{
    int err = end(s);
    close_all(s);
    if (err)
        say(ret_why, why_bytes, "cannot put the journal in %s into the store: %s", o->dir, err_text(err));
    return err || o->file ? err : journal_file_remove(o->dir, ret_why, why_bytes);
}

int store_journal_open(const struct store_journal_options *o, struct store **ret, char *ret_why,
                       size_t why_bytes)
{
    struct journal_store *s = NULL;
    struct journal_meta meta = {0};
    int err = look(o->behind, &meta);
    bool has = !err, wanted = has || (o->create && !o->read_only && !o->end);
    if (err == SHUNT_NOT_FOUND) {
        err = 0;
    } else if (err) {
        say(ret_why, why_bytes,
            "the store in %s does not say which journal it goes with: %s: restore it from a backup", o->dir,
            err_text(err));
    }
    if (wanted && !err)
        err = open_both(o, has, &meta, &s, ret_why, why_bytes);
    else if (o->file)
        o->file->ops->close(o->file);
    if (!err && s && o->end) {
        err = end_it(o, s, ret_why, why_bytes);
        s = NULL;
    }
    if (err)
        store_close(o->behind);
    else
        *ret = s ? &s->base : o->behind;
    return err;
}

static void journal_store_close(struct store *base)
{
    struct journal_store *s = journal_store_of(base);
    struct store *behind = s->behind;
    check(!s->writing && !s->readers);
    close_all(s);
    store_close(behind);
}

static const struct store_ops journal_ops = {
    .any_thread = true, /* the store behind is written within one call, or by the merge's thread */
    .begin = journal_begin,
    .commit = journal_commit,
    .abort = journal_abort,
    .get = journal_get,
    .put = journal_put,
    .reserve = journal_reserve,
    .del = journal_del,
    .cursor_open = journal_cursor_open,
    .cursor_close = journal_cursor_close,
    .cursor_seek = journal_cursor_seek,
    .cursor_next = journal_cursor_next,
    .cursor_prev = journal_cursor_prev,
    .cursor_del = journal_cursor_del,
    .usage = journal_usage,
    .disk_free = journal_disk_free,
    .count = journal_count,
    .maintain = journal_maintain,
    .set_aside = journal_set_aside,
    .pack = journal_pack,
    .close = journal_store_close,
};

bool store_journal_step(struct store *base)
{
    return base->ops == &journal_ops && merge_step(&journal_store_of(base)->merge);
}

bool store_journal_state(struct store *base, struct store_journal_state *ret)
{
    if (base->ops != &journal_ops)
        return false;
    const struct journal_store *s = journal_store_of(base);
    *ret = (struct store_journal_state){.file_bytes = journal_bytes(s->journal),
                                        .used_bytes = journal_used_bytes(s->journal),
                                        .filling_bytes = s->filling->used,
                                        .frozen_bytes = s->frozen ? s->frozen->used : 0,
                                        .kept_bytes = journal_needed_bytes(s) - s->filling->file_bytes -
                                                      (s->frozen ? s->frozen->file_bytes : 0),
                                        .stubs = s->stubs,
                                        .merges = s->merges,
                                        .aways = s->aways,
                                        .waits = s->waits};
    return true;
}
