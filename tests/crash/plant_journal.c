/* plant: bugs of the journal (plant.c), and a journal so small that a short run comes round in it.
 *
 * SHUNT_SMALL_JOURNAL=BYTES: a new file is 1 MiB long, and grows only when it must; a generation is put away when it
 * has half of BYTES. That is no bug: both are only bounds, whose least settings are larger.
 */
#include "base/container.h"
#include "base/magic.h"
#include "broker/journal/journal_layout.h"
#include "broker/journal/store_journal_private.h"
#include "proto/errors.h"
#include "tests/crash/plant.h"

#include <stdlib.h>
#include <unistd.h>

#define SMALL           "SHUNT_SMALL_JOURNAL"
#define SMALL_BYTES_MIN (1u << 20)
#define SMALL_BYTES_MAX (16u << 20)
#define ROUND_RECORDS   400 /* more than the smallest file holds */
#define ROUND_WAIT_MS   2000

static bool is_small(void)
{
    return getenv(SMALL) != NULL;
}

void plant_journal_size(struct store_journal_options *o)
{
    if (!is_small())
        return;
    o->bytes = planted() == PLANT_EARLY_RELEASE ? SMALL_BYTES_MIN : SMALL_BYTES_MAX;
    o->memory_bytes = strtoull(getenv(SMALL), NULL, 10);
    o->keep_padded = true;
}

int __real_journal_create(struct journal_file *file, const uint8_t *id, uint64_t bytes, uint64_t first_number,
                          struct journal **ret, char *ret_why, size_t why_bytes);
int __wrap_journal_create(struct journal_file *file, const uint8_t *id, uint64_t bytes, uint64_t first_number,
                          struct journal **ret, char *ret_why, size_t why_bytes);
int __wrap_journal_create(struct journal_file *file, const uint8_t *id, uint64_t bytes, uint64_t first_number,
                          struct journal **ret, char *ret_why, size_t why_bytes)
{
    return __real_journal_create(file, id, is_small() ? SMALL_BYTES_MIN : bytes, first_number, ret, ret_why,
                                 why_bytes);
}

/* ---- early-place, early-release ---- */

static struct journal *asked; /* early-release: whose generation is being put away */

static int write_place(struct store *store, const struct journal_meta *meta)
{
    struct store_txn *txn;
    int err = store_begin(store, true, &txn);
    if (err)
        return err;
    err = journal_meta_write(txn, meta);
    if (!err)
        return store_commit(txn);
    store_abort(txn);
    return err;
}

/* Until the ring has come round to what was released; not for ever, because a server may also have nothing to do. */
static void wait_for_round(const struct generation *g)
{
    for (int ms = 0; ms < ROUND_WAIT_MS && journal_next(asked).number < g->next.number + ROUND_RECORDS; ms++)
        (void)usleep(1000);
}

int __real_generation_merge(struct generation *g, struct store *store, struct journal_meta *meta,
                            uint64_t *ret);
int __wrap_generation_merge(struct generation *g, struct store *store, struct journal_meta *meta,
                            uint64_t *ret);
int __wrap_generation_merge(struct generation *g, struct store *store, struct journal_meta *meta,
                            uint64_t *ret)
{
    int err = planted() == PLANT_EARLY_PLACE ? write_place(store, meta) : 0;
    if (planted() == PLANT_EARLY_RELEASE)
        wait_for_round(g);
    return err ? err : __real_generation_merge(g, store, meta, ret);
}

void __real_journal_release(struct journal *j, struct journal_place place);
void __wrap_journal_release(struct journal *j, struct journal_place place);
/* What was released too early is not released once more. */
void __wrap_journal_release(struct journal *j, struct journal_place place)
{
    if (planted() != PLANT_EARLY_RELEASE || place.number >= j->oldest.number)
        __real_journal_release(j, place);
}

void __real_merge_ask_generation(struct merge *m, struct generation *g, struct store *store,
                                 const struct journal_meta *meta);
void __wrap_merge_ask_generation(struct merge *m, struct generation *g, struct store *store,
                                 const struct journal_meta *meta);
void __wrap_merge_ask_generation(struct merge *m, struct generation *g, struct store *store,
                                 const struct journal_meta *meta)
{
    if (planted() == PLANT_EARLY_RELEASE) {
        asked = container_of(m, struct journal_store, merge)->journal;
        __real_journal_release(asked, g->next);
    }
    __real_merge_ask_generation(m, g, store, meta);
}

/* ---- short-replay ---- */

#define LAGGING_MAGIC 0x6c616767u

/* One record behind. */
struct lagging {
    uint32_t magic;
    journal_each *each;
    void *context;
    struct journal_place place; /* number 0: none yet */
    uint8_t *body;
    size_t size;
};

static int lag(void *context, struct journal_place place, struct slice body)
{
    struct lagging *l = magic_of(context, lagging, LAGGING_MAGIC);
    int err = l->place.number ? l->each(l->context, l->place, (struct slice){l->body, l->size}) : 0;
    free(l->body);
    l->body = malloc(body.size + 1);
    if (!l->body)
        return SHUNT_NO_MEMORY;
    memcpy(l->body, body.data, body.size);
    l->size = body.size;
    l->place = place;
    return err;
}

int __real_journal_open(struct journal_file *file, const uint8_t *id, struct journal_place oldest,
                        struct journal_place from, bool read_only, journal_each *each, void *context,
                        struct journal **ret, char *ret_why, size_t why_bytes);
int __wrap_journal_open(struct journal_file *file, const uint8_t *id, struct journal_place oldest,
                        struct journal_place from, bool read_only, journal_each *each, void *context,
                        struct journal **ret, char *ret_why, size_t why_bytes);
int __wrap_journal_open(struct journal_file *file, const uint8_t *id, struct journal_place oldest,
                        struct journal_place from, bool read_only, journal_each *each, void *context,
                        struct journal **ret, char *ret_why, size_t why_bytes)
{
    struct lagging l = {.magic = LAGGING_MAGIC, .each = each, .context = context};
    if (planted() != PLANT_SHORT_REPLAY)
        return __real_journal_open(file, id, oldest, from, read_only, each, context, ret, ret_why, why_bytes);
    int err = __real_journal_open(file, id, oldest, from, read_only, lag, &l, ret, ret_why, why_bytes);
    free(l.body);
    return err;
}

/* ---- blind-end, bare-head, trusting-start ---- */

static const struct journal_file_ops *sound;
static bool starting; /* trusting-start: until the first flush nothing is written */

static uint64_t bare_checksum(const uint8_t *body, uint64_t bytes)
{
    return XXH3_64bits(body, bytes);
}

static bool is_head(const uint8_t *bytes, uint64_t at)
{
    return at && get_be64(bytes + HEAD_MAGIC) == MAGIC_RECORD;
}

/* What has the bare checksum gets the one that the reader wants. */
static int bare_read(struct journal_file *f, uint64_t at, uint8_t *to, size_t bytes)
{
    uint64_t body_bytes = get_be64(to + HEAD_BYTES), size;
    int err = sound->size(f, &size);
    if (err || bytes != JOURNAL_BLOCK_BYTES || !is_head(to, at) ||
        body_bytes > size - at - JOURNAL_HEAD_BYTES)
        return err;
    uint8_t *record = malloc(JOURNAL_HEAD_BYTES + body_bytes);
    err = record ? sound->read(f, at, record, JOURNAL_HEAD_BYTES + body_bytes) : SHUNT_NO_MEMORY;
    if (!err && get_be64(record + HEAD_CHECKSUM) == bare_checksum(record + JOURNAL_HEAD_BYTES, body_bytes))
        put_be64(to + HEAD_CHECKSUM, head_checksum(record, body_bytes, at));
    free(record);
    return err;
}

/* Where records behind the end are looked for, many blocks are read at once; their heads are gone. */
static void hide_heads(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; size > JOURNAL_BLOCK_BYTES && i + JOURNAL_HEAD_BYTES <= size;
         i += JOURNAL_BLOCK_BYTES) {
        if (is_head(bytes + i, 1))
            memset(bytes + i, 0, JOURNAL_HEAD_BYTES);
    }
}

static int spoilt_read(struct journal_file *f, uint64_t at, void *to, size_t bytes)
{
    int err = sound->read(f, at, to, bytes);
    if (err)
        return err;
    if (planted() == PLANT_BARE_HEAD)
        return bare_read(f, at, to, bytes);
    if (planted() == PLANT_BLIND_END && at)
        hide_heads(to, bytes);
    return 0;
}

static int spoilt_flush(struct journal_file *f)
{
    starting = false;
    return sound->flush(f);
}

static int spoilt_write(struct journal_file *f, uint64_t at, const struct iovec *parts, int count)
{
    if (starting)
        return 0;
    if (planted() == PLANT_BARE_HEAD && is_head(parts->iov_base, at)) {
        uint8_t *head = parts->iov_base;
        put_be64(head + HEAD_CHECKSUM, bare_checksum(head + JOURNAL_HEAD_BYTES, get_be64(head + HEAD_BYTES)));
    }
    return sound->write(f, at, parts, count);
}

int __real_journal_file_open(const char *dir, bool create, bool read_only, struct journal_file **ret,
                             char *ret_why, size_t why_bytes);
int __wrap_journal_file_open(const char *dir, bool create, bool read_only, struct journal_file **ret,
                             char *ret_why, size_t why_bytes);
int __wrap_journal_file_open(const char *dir, bool create, bool read_only, struct journal_file **ret,
                             char *ret_why, size_t why_bytes)
{
    static struct journal_file_ops ops;
    int err = __real_journal_file_open(dir, create, read_only, ret, ret_why, why_bytes);
    if (err || planted() < PLANT_BLIND_END)
        return err;
    sound = (*ret)->ops;
    ops = *sound;
    ops.read = spoilt_read;
    ops.write = spoilt_write;
    ops.flush = spoilt_flush;
    starting = planted() == PLANT_TRUSTING_START && !create;
    (*ret)->ops = &ops;
    return 0;
}
