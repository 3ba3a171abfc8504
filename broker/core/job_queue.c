/* job_queue: the jobs that are kept, and when each of those that run is due. A tick costs by the ones that are due,
 * whatever the number of those that wait for their time, or for an event.
 *
 * Which are due follows from their records alone, and they are taken in order of their ids: so two ledgers
 * that apply the same batches do the same, wherever one of them was loaded anew.
 */
#include "base/array.h"
#include "base/check.h"
#include "base/search.h"
#include "broker/core/job.h"

#include <stdlib.h>

_Static_assert(JOBS_MAX <= DEADLINE_ID_MAX, "the heap has room for all");

static int64_t job_at(const struct ledger *l, const struct job *j)
{
    bool letters = j->r.kind == JOB_REDRIVE || j->r.kind == JOB_PURGE_DLQ;
    if (letters && !catalog_live_group(l, j->r.group))
        return 0; /* to end */
    if (j->r.phase == JOB_PAUSED)
        return NEVER;
    return j->r.kind == JOB_REDRIVE ? redrive_at(&j->r) : 0;
}

int64_t jobs_at(const struct ledger *l)
{
    uint32_t slot;
    int64_t at_ms;
    if (!deadline_heap_first(&l->jobs_when, &slot, &at_ms))
        return NEVER;
    return at_ms > l->now_ms ? at_ms : l->now_ms;
}

/* ---- one of them ---- */

static int order(const void *element, const void *key)
{
    uint64_t have = (*(struct job *const *)element)->r.id, want = *(const uint64_t *)key;
    return (have > want) - (have < want);
}

size_t job_position(const struct ledger *l, uint64_t id)
{
    return search_first(l->kept, l->kept_count, sizeof *l->kept, &id, order);
}

struct job *job_find(const struct ledger *l, uint64_t id)
{
    size_t at = job_position(l, id);
    return at < l->kept_count && l->kept[at]->r.id == id ? l->kept[at] : NULL;
}

/* ---- their records ---- */

void job_dirty(struct ledger *l, struct job *j)
{
    if (j->charged != l->batch) {
        j->charged = l->batch;
        l->changed = true;
        l->meter.bytes += COST_JOB_BYTES;
    }
    if (j->dirty)
        return;
    j->dirty = true;
    j->dirty_next = l->dirty_jobs;
    l->dirty_jobs = j;
}

int jobs_flush(struct ledger *l)
{
    int err = 0;
    for (; !err && l->dirty_jobs; l->dirty_jobs = l->dirty_jobs->dirty_next) {
        struct job *j = l->dirty_jobs;
        struct key key = key_job(j->r.id);
        size_t size = job_encode(l->record, key_slice(&key), &j->r);
        err = store_put(l->txn, TABLE_JOB, key_slice(&key), (struct slice){l->record, size});
        j->dirty = false;
    }
    return err;
}

static void forget_dirty(struct ledger *l, const struct job *j)
{
    struct job **at = &l->dirty_jobs;
    if (!j->dirty)
        return;
    while (*at != j)
        at = &(*at)->dirty_next;
    *at = j->dirty_next;
}

/* ---- coming and going ---- */

static bool run(struct ledger *l, struct job *j)
{
    size_t count = l->jobs_count + 1;
    if (!array_room(&l->jobs, &l->jobs_capacity, count) ||
        !array_room(&l->jobs_due, &l->jobs_due_capacity, count) ||
        deadline_heap_reserve(&l->jobs_when, (uint32_t)count) != 0)
        return false;
    j->runs = true;
    j->slot = (uint32_t)l->jobs_count;
    l->jobs[l->jobs_count++] = j;
    l->jobs_rated += j->r.rate != 0;
    return true;
}

int job_keep(struct ledger *l, struct job *j)
{
    if (l->kept_count && l->kept[l->kept_count - 1]->r.id >= j->r.id) {
        free(j);
        return SHUNT_CORRUPT; /* the ledger's own record is lost, and numbers begin again */
    }
    if (!array_room(&l->kept, &l->kept_capacity, l->kept_count + 1) || (!job_over(&j->r) && !run(l, j))) {
        free(j);
        return SHUNT_NO_MEMORY;
    }
    l->kept[l->kept_count++] = j;
    return 0;
}

/* The last one takes its slot. in: it is not in the heap, and all others are. */
static void leave(struct ledger *l, struct job *j)
{
    struct job *last = l->jobs[--l->jobs_count];
    l->jobs_rated -= j->r.rate != 0;
    j->runs = false;
    if (last != j) {
        deadline_heap_remove(&l->jobs_when, last->slot);
        last->slot = j->slot;
        l->jobs[last->slot] = last;
        deadline_heap_set(&l->jobs_when, last->slot, job_at(l, last));
    }
}

/* Only the newest of those that are over are kept, so that the table stays small. */
static int forget_old(struct ledger *l)
{
    size_t at = 0;
    if (l->kept_count - l->jobs_count <= JOBS_FINISHED_KEPT)
        return 0;
    while (l->kept[at]->runs)
        at++;
    struct job *j = l->kept[at];
    struct key key = key_job(j->r.id);
    array_remove(l->kept, &l->kept_count, at);
    forget_dirty(l, j);
    free(j);
    int err = ledger_del(l, TABLE_JOB, key_slice(&key), NULL);
    return err == SHUNT_NOT_FOUND ? 0 : err; /* it was made in this batch */
}

int job_changed(struct ledger *l, struct job *j)
{
    job_dirty(l, j);
    if (!j->runs)
        return 0;
    if (!job_over(&j->r)) {
        deadline_heap_set(&l->jobs_when, j->slot, job_at(l, j));
        return 0;
    }
    if (deadline_heap_has(&l->jobs_when, j->slot))
        deadline_heap_remove(&l->jobs_when, j->slot);
    leave(l, j);
    return forget_old(l);
}

void jobs_group_gone(struct ledger *l, uint32_t group)
{
    for (size_t i = 0; i < l->kept_count; i++) {
        struct job *j = l->kept[i];
        uint64_t *n = j->r.outcomes;
        if (j->r.group != group)
            continue;
        if (n[REDRIVE_PENDING])
            job_dirty(l, j);
        n[REDRIVE_GONE] += n[REDRIVE_PENDING];
        n[REDRIVE_PENDING] = 0;
        if (j->runs)
            deadline_heap_set(&l->jobs_when, j->slot, job_at(l, j));
    }
}

void jobs_free(struct ledger *l)
{
    for (size_t i = 0; i < l->kept_count; i++)
        free(l->kept[i]);
    free(l->kept);
    free(l->jobs);
    free(l->jobs_due);
    deadline_heap_done(&l->jobs_when);
}

/* ---- those that are due ---- */

static int by_id(const void *a, const void *b)
{
    const struct job *x = *(struct job *const *)a, *y = *(struct job *const *)b;
    return (x->r.id > y->r.id) - (x->r.id < y->r.id);
}

uint32_t jobs_take_due(struct ledger *l)
{
    uint32_t count = 0, slot;
    int64_t at_ms;
    while (deadline_heap_first(&l->jobs_when, &slot, &at_ms) && at_ms <= l->now_ms) {
        deadline_heap_remove(&l->jobs_when, slot);
        l->jobs_due[count++] = l->jobs[slot];
    }
    if (count)
        qsort(l->jobs_due, count, sizeof(struct job *), by_id);
    return count;
}

int jobs_put_back(struct ledger *l, uint32_t count)
{
    int err = 0;
    for (uint32_t i = 0; i < count; i++)
        deadline_heap_set(&l->jobs_when, l->jobs_due[i]->slot, job_at(l, l->jobs_due[i]));
    for (uint32_t i = 0; !err && i < count; i++) {
        if (job_over(&l->jobs_due[i]->r))
            err = job_changed(l, l->jobs_due[i]);
    }
    return err;
}

/* ---- limits ---- */

const char *jobs_full(const struct ledger *l, uint32_t rate)
{
    if (rate && l->jobs_rated >= JOBS_RATED_MAX) {
        return "as many redrives with a rate run as may (1000): wait until one is done, or redrive without a "
               "rate";
    }
    if (l->jobs_count >= JOBS_MAX)
        return "as many jobs run as may (2000): wait until one is done";
    return NULL;
}

/* ---- loading ---- */

static int load_row(struct ledger *l, struct slice key, struct slice value)
{
    struct job *j = calloc(1, sizeof *j);
    uint64_t id;
    int err = j ? job_decode(key, value, &j->r) : SHUNT_NO_MEMORY;
    if (!err && (!key_read_job(key, &id) || id != j->r.id))
        err = SHUNT_CORRUPT;
    if (err) {
        free(j);
        return err;
    }
    err = job_keep(l, j);
    if (!err && j->runs)
        deadline_heap_set(&l->jobs_when, j->slot, job_at(l, j));
    return err;
}

int jobs_load(struct ledger *l, char *ret_why, size_t why_bytes)
{
    struct store_cursor *cursor;
    struct slice key, value;
    int err = store_cursor_open(l->txn, TABLE_JOB, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value);
    while (!err) {
        err = load_row(l, key, value);
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    if (err == SHUNT_CORRUPT)
        ledger_say(ret_why, why_bytes, "a row of the job table cannot be read");
    return err == SHUNT_NOT_FOUND ? 0 : err;
}
