/* plant_journal: bugs of a journal. Calls between its parts and those of its file go through here; with no bug planted they pass as they are,
 * and the rig is told what it counts.
 */
#include "base/container.h"
#include "base/magic.h"
#include "broker/journal/journal_layout.h"
#include "broker/journal/store_journal_private.h"
#include "tests/sim/disk_journal.h"
#include "tests/sim/plant.h"

#include <stdlib.h>

int __real_journal_open(struct journal_file *file, const uint8_t *id, struct journal_place oldest,
                        struct journal_place from, bool read_only, journal_each *each, void *context,
                        struct journal **ret, char *ret_why, size_t why_bytes);
int __wrap_journal_open(struct journal_file *file, const uint8_t *id, struct journal_place oldest,
                        struct journal_place from, bool read_only, journal_each *each, void *context,
                        struct journal **ret, char *ret_why, size_t why_bytes);
void __real_merge_ask_generation(struct merge *m, const struct generation *g, struct store *store,
                                 const struct journal_meta *meta);
void __wrap_merge_ask_generation(struct merge *m, const struct generation *g, struct store *store,
                                 const struct journal_meta *meta);
void __real_merge_ask_away(struct merge *m, const struct away *away, struct store *store);
void __wrap_merge_ask_away(struct merge *m, const struct away *away, struct store *store);
void __real_journal_release(struct journal *j, struct journal_place place);
void __wrap_journal_release(struct journal *j, struct journal_place place);
bool __real_merge_ended(struct merge *m, enum merge_kind kind, bool wait, int *ret_err);
bool __wrap_merge_ended(struct merge *m, enum merge_kind kind, bool wait, int *ret_err);

int __real_journal_create(struct journal_file *file, const uint8_t *id, uint64_t bytes, uint64_t first_number,
                          struct journal **ret, char *ret_why, size_t why_bytes);
int __wrap_journal_create(struct journal_file *file, const uint8_t *id, uint64_t bytes, uint64_t first_number,
                          struct journal **ret, char *ret_why, size_t why_bytes);

/* The broker's begins so long that a run would never make it longer. */
int __wrap_journal_create(struct journal_file *file, const uint8_t *id, uint64_t bytes, uint64_t first_number,
                          struct journal **ret, char *ret_why, size_t why_bytes)
{
    (void)bytes;
    disk_journal_made();
    return __real_journal_create(file, id, JOURNAL_RING_BYTES_FIRST, first_number, ret, ret_why, why_bytes);
}

/* ---- what the start reads ---- */

#define READING_MAGIC 0x72646e67u

struct reading {
    uint32_t magic;
    journal_each *each;
    void *context;
    uint64_t records, number; /* given so far; the one that comes next */
    uint8_t *held;            /* the last one, which is given when another comes */
    size_t held_bytes;
    struct journal_place held_place;
};

static struct reading *the_reading; /* NULL: nothing is opened */

static int give_held(struct reading *r)
{
    if (!r->held)
        return 0;
    int err = r->each(r->context, r->held_place, (struct slice){r->held, r->held_bytes});
    free(r->held);
    r->held = NULL;
    return err;
}

static int read_one(void *context, struct journal_place place, struct slice body)
{
    struct reading *r = magic_of(context, reading, READING_MAGIC);
    r->records++;
    int err = give_held(r);
    r->number = place.number + 1;
    if (err || !plant_is(PLANT_JOURNAL_SKIP_LAST))
        return err ? err : r->each(r->context, place, body);
    r->held = malloc(body.size);
    if (!r->held)
        abort();
    memcpy(r->held, body.data, body.size);
    r->held_bytes = body.size;
    r->held_place = place;
    return 0;
}

int __wrap_journal_open(struct journal_file *file, const uint8_t *id, struct journal_place oldest,
                        struct journal_place from, bool read_only, journal_each *each, void *context,
                        struct journal **ret, char *ret_why, size_t why_bytes)
{
    struct reading r = {.magic = READING_MAGIC, .each = each, .context = context, .number = from.number};
    the_reading = &r;
    int err = __real_journal_open(file, id, oldest, from, read_only, read_one, &r, ret, ret_why, why_bytes);
    the_reading = NULL;
    free(r.held);
    if (!err && !read_only)
        disk_journal_replayed(r.records);
    return err;
}

/* ---- generations ---- */

void __wrap_merge_ask_generation(struct merge *m, const struct generation *g, struct store *store,
                                 const struct journal_meta *meta)
{
    __real_merge_ask_generation(m, g, store, meta);
    disk_journal_froze();
    if (plant_is(PLANT_JOURNAL_ROUND_EARLY))
        __real_journal_release(container_of(m, struct journal_store, merge)->journal, g->next);
}

void __wrap_merge_ask_away(struct merge *m, const struct away *away, struct store *store)
{
    __real_merge_ask_away(m, away, store);
    if (plant_is(PLANT_JOURNAL_AWAY_EARLY))
        __real_journal_release(container_of(m, struct journal_store, merge)->journal, away->end);
}

/* What was released too early is not released once more. */
void __wrap_journal_release(struct journal *j, struct journal_place place)
{
    bool early = plant_is(PLANT_JOURNAL_ROUND_EARLY) || plant_is(PLANT_JOURNAL_AWAY_EARLY);
    if (!early || place.number >= j->oldest.number)
        __real_journal_release(j, place);
}

bool __wrap_merge_ended(struct merge *m, enum merge_kind kind, bool wait, int *ret_err)
{
    if (kind == MERGE_GENERATION && m->jobs[kind].asked && plant_is(PLANT_JOURNAL_DROP_FROZEN))
        m->jobs[kind].done = true;
    bool over = __real_merge_ended(m, kind, wait, ret_err);
    if (over && kind == MERGE_GENERATION)
        disk_journal_put_away(m->stubs);
    return over;
}

/* ---- its file ---- */

static struct journal_file_ops true_ops;
static bool unflushed; /* PLANT_JOURNAL_EARLY_REPLY: a record was written */

static bool is_record(const uint8_t *head)
{
    return get_be64(head + HEAD_MAGIC) == MAGIC_RECORD;
}

/* The flush of a record comes with the next write. */
static int early_write(struct journal_file *f, uint64_t at, const struct iovec *parts, int count)
{
    int err = unflushed ? true_ops.flush(f) : 0;
    unflushed = is_record(parts[0].iov_base);
    return err ? err : true_ops.write(f, at, parts, count);
}

static int early_flush(struct journal_file *f)
{
    return unflushed ? 0 : true_ops.flush(f);
}

/* Where records behind the end are looked for, many blocks are read at once; their heads are gone. */
static void hide_heads(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; size > JOURNAL_BLOCK_BYTES && i + JOURNAL_HEAD_BYTES <= size;
         i += JOURNAL_BLOCK_BYTES) {
        if (is_record(bytes + i))
            memset(bytes + i, 0, JOURNAL_HEAD_BYTES);
    }
}

/* A search for records behind the end finds none. */
static int blind_read(struct journal_file *f, uint64_t at, void *to, size_t bytes)
{
    int err = true_ops.read(f, at, to, bytes);
    if (!err && at)
        hide_heads(to, bytes);
    return err;
}

/* A whole record of an earlier round has the number that is wanted. */
static int forging_read(struct journal_file *f, uint64_t at, void *to, size_t bytes)
{
    uint8_t *head = to;
    int err = true_ops.read(f, at, to, bytes);
    if (err || !the_reading || !at || bytes != JOURNAL_BLOCK_BYTES || !is_record(head) ||
        get_be64(head + HEAD_NUMBER) >= the_reading->number)
        return err;
    uint64_t body_bytes = get_be64(head + HEAD_BYTES);
    uint8_t *whole = malloc(JOURNAL_HEAD_BYTES + body_bytes);
    if (whole && true_ops.read(f, at, whole, JOURNAL_HEAD_BYTES + body_bytes) == 0 &&
        get_be64(head + HEAD_CHECKSUM) == head_checksum(whole, body_bytes, at)) {
        put_be64(head + HEAD_NUMBER, the_reading->number);
        put_be64(whole + HEAD_NUMBER, the_reading->number);
        put_be64(head + HEAD_CHECKSUM, head_checksum(whole, body_bytes, at));
    }
    free(whole);
    return 0;
}

const struct journal_file_ops *plant_file(const struct journal_file_ops *ops)
{
    static struct journal_file_ops planted;
    true_ops = planted = *ops;
    unflushed = false;
    if (plant_is(PLANT_JOURNAL_EARLY_REPLY)) {
        planted.write = early_write;
        planted.flush = early_flush;
    } else if (plant_is(PLANT_JOURNAL_BAD_MIDDLE)) {
        planted.read = blind_read;
    } else if (plant_is(PLANT_JOURNAL_OLD_ROUND)) {
        planted.read = forging_read;
    }
    return &planted;
}
