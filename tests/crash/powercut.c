/* powercut: cut the power of a recorded server at many moments, and look at what is left.
 *
 *     powercut LOG WORK [STATES [SEED [FIRST]]]
 *
 * Every commit leaves the store, and the journal beside it if there is one, in a version. The versions are made first, as they are without a power cut;
 * each is checked, and for every fact (what the server told a client) the first version that shows it is
 * found. Then a state: a moment (a record of the log) and what is lost there, both from the seed. The store
 * must open, be in order, and be equal, row by row, to a version that was begun before the moment and is no
 * older than all facts told before it. Some states are also opened for writing, recovered and checked again.
 *
 * One line for each failure; the last line has the figures. SHUNT_CUT_KEEP=PATH keeps what the (one) cut
 * left, and does not look at it. SHUNT_PLANT_EARLY=1 plants a lie: an answer counts from the moment at which its request came.
 */
#include "broker/journal/journal.h"
#include "tests/crash/disk.h"
#include "tests/crash/facts.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DATA_DIR      "data"
#define DATA_FILE     "data/data.mdb"
#define JOURNAL_FILE  "data/journal"
#define WORKERS       2
#define META_BYTES    8192 /* LMDB's two meta pages, at the beginning of the file */
#define RECOVER_EVERY 400
#define STARTS_OF_256 50 /* so many moments are near the beginning of a process's life */
#define START_RECORDS 60

struct version {
    size_t record; /* with it the version may be there */
    bool exists;
    uint64_t hash;
};

struct moment {
    size_t number, cut;
};

/* Seen by all workers. */
struct figures {
    atomic_size_t states, failures, without_store, older, recovered, at[WORKERS];
};

/* What a journal did in the trace. */
struct journal_figures {
    size_t lengths; /* times that it was made, or made longer */
    size_t rounds;  /* times that it went on behind its head block */
    uint64_t last;  /* place of the last record */
};

static struct trace trace;
static struct facts facts;
static struct version *versions;
static size_t version_count;
static struct journal_figures journal;
static size_t *floors; /* for each record: the oldest version that may be found after a cut before it */
static struct figures *figures;
static uint64_t seed = 1;

static _Noreturn void die(const char *why)
{
    (void)fprintf(stderr, "powercut: %s\n", why);
    exit(2);
}

/* ---- versions ---- */

static bool begins_version(const struct disk *d, const struct trace_entry *e)
{
    if (e->r.kind == RECORD_RENAME)
        return strcmp(e->text + strlen(e->text) + 1, DATA_FILE) == 0;
    return e->r.kind == RECORD_WRITE && ((e->r.at < META_BYTES && e->r.id == disk_inode(d, DATA_FILE)) ||
                                         e->r.id == disk_inode(d, JOURNAL_FILE));
}

static void follow_journal(const struct disk *d, const struct trace_entry *e)
{
    if (e->r.kind != RECORD_WRITE || e->r.id != disk_inode(d, JOURNAL_FILE))
        return;
    journal.lengths +=
        e->r.at == 0 && e->r.data_bytes < JOURNAL_BLOCK_BYTES; /* not when it is written again as it is */
    journal.rounds += e->r.at == JOURNAL_BLOCK_BYTES && journal.last > e->r.at;
    if (e->r.at >= JOURNAL_BLOCK_BYTES) /* a record, not a mark */
        journal.last = e->r.at;
}

static void add_version(const struct version *v, const struct snapshot *s, size_t *since)
{
    versions = realloc(versions, (version_count + 1) * sizeof *versions);
    if (!versions)
        die("no memory");
    versions[version_count] = *v;
    for (size_t i = 0; i < facts.count; i++) {
        if (!fact_holds(&facts.all[i], s, v->record))
            since[i] = version_count + 1;
    }
    version_count++;
}

/* `since` gets the version from which on each fact holds. */
static void find_versions(const char *work, size_t *since)
{
    char why[SNAPSHOT_WHY_BYTES] = "", dir[PATH_MAX];
    struct disk *d = disk_new(&trace, work);
    struct snapshot none = {0};
    add_version(&(struct version){0}, &none, since);
    for (size_t i = 0; i < trace.count; i++) {
        follow_journal(d, &trace.entries[i]);
        if (!begins_version(d, &trace.entries[i])) {
            disk_advance(d, i + 1);
            continue;
        }
        disk_advance(d, i + 1);
        struct snapshot s;
        (void)snprintf(dir, sizeof dir, "%s/" DATA_DIR, disk_cut(d, 0));
        if (!snapshot_take(dir, true, &s, why)) {
            (void)printf("failure: even without a power cut, at record %zu: %s\n", i, why);
            atomic_fetch_add(&figures->failures, 1);
        }
        add_version(&(struct version){i, s.exists, s.hash}, &s, since);
        snapshot_done(&s);
    }
    disk_free(d);
}

static void find_floors(const size_t *since)
{
    floors = calloc(trace.count + 1, sizeof *floors);
    if (!floors)
        die("no memory");
    for (size_t i = 0; i < facts.count; i++) {
        const struct fact *f = &facts.all[i];
        if (since[i] == version_count) {
            (void)printf("failure: never there: %s\n", fact_text(f));
            atomic_fetch_add(&figures->failures, 1);
        } else if (since[i] > floors[f->record + 1]) {
            floors[f->record + 1] = since[i];
        }
    }
    for (size_t i = 1; i <= trace.count; i++) {
        if (floors[i] < floors[i - 1])
            floors[i] = floors[i - 1];
    }
}

static void plant_early(void)
{
    for (size_t i = 0; i < facts.count; i++) {
        while (facts.all[i].record && trace.entries[facts.all[i].record].r.kind != RECORD_RECEIVED)
            facts.all[i].record--;
    }
}

/* ---- states ---- */

static size_t last_version(size_t cut)
{
    size_t v = version_count - 1;
    while (v && versions[v].record >= cut)
        v--;
    return v;
}

static bool is_version(const struct snapshot *s, size_t cut, char *why)
{
    size_t last = last_version(cut), lowest = floors[cut];
    for (size_t v = last + 1; v-- > 0;) {
        if (versions[v].exists != s->exists || versions[v].hash != s->hash)
            continue;
        if (v >= lowest) {
            atomic_fetch_add(&figures->older, v < last);
            atomic_fetch_add(&figures->without_store, !s->exists);
            return true;
        }
        (void)snprintf(why, SNAPSHOT_WHY_BYTES,
                       "confirmed work is lost: version %zu is there, %zu was told of", v, lowest);
        return false;
    }
    (void)snprintf(why, SNAPSHOT_WHY_BYTES, "it is like no version from %zu to %zu", lowest, last);
    return false;
}

/* To a path in the same file system. */
static void keep(struct disk *d, const char *tree, const struct moment *m, const char *path)
{
    if (rename(tree, path) != 0)
        die("cannot keep what is left");
    disk_spoilt(d);
    (void)printf("kept what is left by a cut before record %zu\n", m->cut);
}

static void visit(struct disk *d, const struct moment *m)
{
    char why[SNAPSHOT_WHY_BYTES] = "", dir[PATH_MAX];
    uint64_t fate = trace_random(seed, m->number) | 1;
    struct snapshot s;
    disk_advance(d, m->cut);
    const char *tree = disk_cut(d, fate), *kept = getenv("SHUNT_CUT_KEEP");
    if (kept) {
        keep(d, tree, m, kept);
        return;
    }
    (void)snprintf(dir, sizeof dir, "%s/" DATA_DIR, tree);
    bool ok = snapshot_take(dir, false, &s, why) && is_version(&s, m->cut, why);
    if (ok && m->number % RECOVER_EVERY == 0) {
        ok = snapshot_recover(dir, (enum snapshot_journal)(m->number / RECOVER_EVERY % SNAPSHOT_JOURNALS),
                              why) &&
             snapshot_take(dir, false, &s, why);
        disk_spoilt(d);
        atomic_fetch_add(&figures->recovered, 1);
    }
    atomic_fetch_add(&figures->states, 1);
    if (ok)
        return;
    (void)printf("failure: seed %llu, state %zu, cut before record %zu: %s\n", (unsigned long long)seed,
                 m->number, m->cut, why);
    atomic_fetch_add(&figures->failures, 1);
}

static int by_cut(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;
    return x->cut != y->cut ? (x->cut > y->cut) - (x->cut < y->cut)
                            : (x->number > y->number) - (x->number < y->number);
}

static size_t choose_cut(size_t number)
{
    uint64_t r = trace_random(seed ^ 0x5eed, number);
    if (r % 256 >= STARTS_OF_256)
        return (r >> 8) % (trace.count + 1);
    size_t lives = 0;
    for (size_t i = 0; i < trace.count; i++)
        lives += trace.entries[i].r.kind == RECORD_LIFE;
    size_t wanted = (r >> 8) % lives, at = 0;
    while (trace.entries[at].r.kind != RECORD_LIFE || wanted--)
        at++;
    at += (r >> 32) % START_RECORDS;
    return at < trace.count ? at : trace.count;
}

static int work_at(size_t worker, const char *work, const struct moment *moments, size_t count)
{
    char mine[PATH_MAX];
    (void)snprintf(mine, sizeof mine, "%s/worker-%zu", work, worker);
    if (mkdir(mine, 0700) != 0)
        die("cannot make a working directory");
    struct disk *d = disk_new(&trace, mine);
    size_t failures_most = atomic_load(&figures->failures) + 5;
    for (size_t i = worker; i < count && atomic_load(&figures->failures) < failures_most; i += WORKERS) {
        atomic_store(&figures->at[worker], i);
        visit(d, &moments[i]);
    }
    disk_free(d);
    (void)rmdir(mine); /* of no more use */
    (void)fflush(stdout);
    return 0;
}

static void run(const char *work, size_t first, size_t count)
{
    struct moment *moments = calloc(count, sizeof *moments);
    pid_t workers[WORKERS];
    if (!moments)
        die("no memory");
    for (size_t i = 0; i < count; i++)
        moments[i] = (struct moment){first + i, choose_cut(first + i)};
    qsort(moments, count, sizeof *moments, by_cut);
    (void)fflush(stdout);
    for (size_t i = 0; i < WORKERS; i++) {
        workers[i] = fork();
        if (workers[i] == 0)
            _exit(work_at(i, work, moments, count));
        if (workers[i] < 0)
            die("cannot fork");
    }
    for (size_t i = 0; i < WORKERS; i++) {
        int status = 0;
        if (waitpid(workers[i], &status, 0) == workers[i] && status == 0)
            continue;
        const struct moment *m = &moments[atomic_load(&figures->at[i])];
        (void)printf(
            "failure: seed %llu, state %zu, cut before record %zu: the broker's code ended with status %#x\n",
            (unsigned long long)seed, m->number, m->cut, (unsigned)status);
        atomic_fetch_add(&figures->failures, 1);
    }
    free(moments);
}

static double now_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        die("usage: powercut LOG WORK [STATES [SEED [FIRST]]]");
    size_t count = argc > 3 ? strtoul(argv[3], NULL, 10) : 20000;
    seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
    size_t first = argc > 5 ? strtoul(argv[5], NULL, 10) : 0;
    figures = mmap(NULL, sizeof *figures, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (figures == MAP_FAILED || !trace_load(&trace, argv[1]) || !facts_read(&trace, &facts))
        die("the log cannot be read");
    if (getenv("SHUNT_PLANT_EARLY"))
        plant_early();
    size_t *since = calloc(facts.count + 1, sizeof *since);
    if (!since)
        die("no memory");
    if (!getenv("SHUNT_CUT_KEEP")) {
        find_versions(argv[2], since);
        find_floors(since);
    }
    double begin = now_seconds();
    run(argv[2], first, count);
    double seconds = now_seconds() - begin;
    (void)printf(
        "records=%zu versions=%zu facts=%zu answers=%zu states=%zu older=%zu without_store=%zu recovered=%zu "
        "journal_lengths=%zu journal_rounds=%zu states_per_second=%.0f failures=%zu\n",
        trace.count, version_count, facts.count, facts.answers, atomic_load(&figures->states),
        atomic_load(&figures->older), atomic_load(&figures->without_store), atomic_load(&figures->recovered),
        journal.lengths, journal.rounds, (double)atomic_load(&figures->states) / seconds,
        atomic_load(&figures->failures));
    int exit_code = atomic_load(&figures->failures) ? 1 : 0;
    free(since);
    free(versions);
    free(floors);
    facts_done(&facts);
    trace_done(&trace);
    return exit_code;
}
