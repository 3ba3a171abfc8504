/* job_queue: the jobs that run, and when each of them is due. A tick costs by the ones that are due, whatever
 * the number of those that wait for their time.
 *
 * Which are due follows from their records alone, and they are taken in order of their ids: so two ledgers
 * that apply the same batches do the same, wherever one of them was loaded anew.
 */
#include "base/array.h"
#include "base/check.h"
#include "base/search.h"
#include "broker/core/state.h"

#include <stdlib.h>

_Static_assert(JOBS_MAX <= DEADLINE_ID_MAX, "the heap has room for all");

static int64_t job_at(const struct job_record *j)
{
    if (!j->rate)
        return 0; /* always */
    /* When its allowance has grown by one: (elapsed * rate) / 1000 + 1 > done. */
    uint64_t elapsed_ms = (j->done * 1000 + j->rate - 1) / j->rate;
    return j->begun_ms + (int64_t)elapsed_ms;
}

int64_t jobs_at(const struct ledger *l)
{
    uint32_t slot;
    int64_t at_ms;
    if (!deadline_heap_first(&l->jobs_when, &slot, &at_ms))
        return NEVER;
    return at_ms > l->now_ms ? at_ms : l->now_ms;
}

/* ---- coming and going ---- */

int job_keep(struct ledger *l, const struct job_record *r, struct job_record **ret)
{
    size_t count = l->jobs_count + 1;
    if (!array_room(&l->jobs, &l->jobs_capacity, count) ||
        !array_room(&l->jobs_due, &l->jobs_due_capacity, count) ||
        deadline_heap_reserve(&l->jobs_when, (uint32_t)count) != 0)
        return SHUNT_NO_MEMORY;
    struct job_record *copy = malloc(sizeof *copy);
    if (!copy)
        return SHUNT_NO_MEMORY;
    *copy = *r;
    copy->slot = (uint32_t)l->jobs_count;
    l->jobs[l->jobs_count++] = copy;
    l->jobs_rated += copy->rate != 0;
    *ret = copy;
    return 0;
}

/* The last one takes its slot. in: it is not in the heap, and those that are taken as due neither. */
static void job_remove(struct ledger *l, struct job_record *j)
{
    struct job_record *last = l->jobs[--l->jobs_count];
    l->jobs_rated -= j->rate != 0;
    if (last != j) {
        deadline_heap_remove(&l->jobs_when, last->slot);
        last->slot = j->slot;
        l->jobs[last->slot] = last;
        deadline_heap_set(&l->jobs_when, last->slot, job_at(last));
    }
    free(j);
}

void job_is_due(struct ledger *l, struct job_record *j)
{
    if (j->finished)
        job_remove(l, j);
    else
        deadline_heap_set(&l->jobs_when, j->slot, job_at(j));
}

void jobs_free(struct ledger *l)
{
    for (size_t i = 0; i < l->jobs_count; i++)
        free(l->jobs[i]);
    free(l->jobs);
    free(l->jobs_due);
    deadline_heap_done(&l->jobs_when);
}

/* ---- those that are due ---- */

static int by_id(const void *a, const void *b)
{
    const struct job_record *x = *(struct job_record *const *)a, *y = *(struct job_record *const *)b;
    return (x->id > y->id) - (x->id < y->id);
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
        qsort(l->jobs_due, count, sizeof(struct job_record *), by_id);
    return count;
}

void jobs_put_back(struct ledger *l, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        deadline_heap_set(&l->jobs_when, l->jobs_due[i]->slot, job_at(l->jobs_due[i]));
    for (uint32_t i = 0; i < count; i++) {
        if (l->jobs_due[i]->finished) {
            deadline_heap_remove(&l->jobs_when, l->jobs_due[i]->slot);
            job_remove(l, l->jobs_due[i]);
        }
    }
}

/* ---- one of them ---- */

struct job_record *job_find(const struct ledger *l, uint64_t id)
{
    for (size_t i = 0; i < l->jobs_count; i++) {
        if (l->jobs[i]->id == id)
            return l->jobs[i];
    }
    return NULL;
}

void job_is_over(struct ledger *l, struct job_record *j)
{
    check(j->finished);
    deadline_heap_remove(&l->jobs_when, j->slot);
    job_remove(l, j);
}

/* ---- the finished ones ---- */

static int finished_order(const void *element, const void *key)
{
    uint64_t have = *(const uint64_t *)element, want = *(const uint64_t *)key;
    return have < want ? -1 : have > want;
}

static size_t finished_position(const struct ledger *l, uint64_t id)
{
    return search_first(l->finished, l->finished_count, sizeof *l->finished, &id, finished_order);
}

bool job_was(const struct ledger *l, uint64_t id)
{
    size_t at = finished_position(l, id);
    return at < l->finished_count && l->finished[at] == id;
}

uint64_t jobs_finished(struct ledger *l, uint64_t id)
{
    size_t at = finished_position(l, id);
    array_insert(l->finished, &l->finished_count, at);
    l->finished[at] = id;
    if (l->finished_count <= JOBS_FINISHED_KEPT)
        return 0;
    uint64_t oldest = l->finished[0];
    array_remove(l->finished, &l->finished_count, 0);
    return oldest;
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

int jobs_load(struct ledger *l, char *ret_why, size_t why_bytes)
{
    struct store_cursor *cursor;
    struct slice key, value;
    int err = store_cursor_open(l->txn, TABLE_JOB, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value);
    while (!err) {
        struct job_record r = {0}, *j;
        err = job_decode(key, value, &r);
        if (!err && r.finished) {
            (void)jobs_finished(l, r.id); /* there are no more than are kept */
        } else if (!err) {
            err = job_keep(l, &r, &j);
            if (!err)
                job_is_due(l, j);
        }
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    if (err == SHUNT_CORRUPT)
        ledger_say(ret_why, why_bytes, "a row of the job table cannot be read");
    return err == SHUNT_NOT_FOUND ? 0 : err;
}
