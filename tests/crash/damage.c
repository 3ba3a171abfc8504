/* damage: spoil a store in many ways, and see that it is noticed.
 *
 *     damage DIR/FILE WORK [STATES [SEED [FIRST]]]
 *
 * A copy of the store in DIR is damaged in FILE, data.mdb or journal: bits flipped, bytes overwritten, sectors and pages zeroed, pages
 * swapped or put in each other's place, the file cut short. Then it is opened, read and checked. One of these
 * must come of it:
 *
 *     refused    it does not open                    found      the check finds it
 *     ended      the process ended, and said why     harmless   nobody uses what was damaged: all is as
 * before
 *
 *     older      a page gave way to an older copy of itself, in which everything is right, but for its time:
 * as when a disk loses a write that it has confirmed. Nothing in the file can tell. Of a journal: its last
 * record is not whole, as when the power was cut while it was written.
 *
 * and none of these, each of which is a failure:
 *
 *     wrong      in order, but not what was written; or a message with another body is shown. Of a
 *                journal also: the check finds what opening it should have (but not of messages that only stayed there), or it is refused for nothing,
 *                or without saying where and what to do
 *     died       a signal                            hung       no end within HANG_SECONDS
 *
 * The last line has the figures. SHUNT_PLANT_FORGED=1 plants a lie: a message with another body and a
 * checksum to match.
 */
#include "broker/core/schema.h"
#include "broker/damage_guard.h"
#include "broker/journal/journal.h"
#include "broker/store/store.h"
#include "tests/crash/damage_journal.h"
#include "tests/crash/snapshot.h"
#include "tests/crash/trace.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DATA_NAME      "data.mdb"
#define PAGE_BYTES     4096u
#define META_BYTES     (2 * PAGE_BYTES)
#define SECTOR_BYTES   512u
#define HANG_SECONDS   60 /* the guard takes 5 to 10 of the processor's */
#define ENDED          65 /* as a process ends that finds the pages of its store damaged */
#define EMPTY_PAGES    16 /* behind the last that is used */
#define FAILURES_SHOWN 10
#define SHORTER_MAX    4 /* records that one harm can meet */

enum outcome { REFUSED, FOUND, ENDED_ITSELF, HARMLESS, OLDER, WRONG, DIED, HUNG, OUTCOMES };
static const char *const outcome_names[OUTCOMES] = {"refused", "found", "ended", "harmless",
                                                    "older",   "wrong", "died",  "hung"};

struct harm {
    const char *name;
    uint64_t at[2]; /* ranges that differ from the original */
    uint64_t size;
    uint64_t cut_to; /* the file's length */
    bool moves_pages;
};

struct shared {
    size_t at;
    size_t outcomes[OUTCOMES];
    char why[SNAPSHOT_WHY_BYTES];
};

static uint8_t *original, *image;
static uint64_t image_bytes;
static struct snapshot sound, shorter[SHORTER_MAX]; /* shorter: without so many records, and one more */
static bool of_journal;
static struct damage_journal journal;
static struct shared *shared;
static uint64_t seed = 1;

static _Noreturn void die(const char *why)
{
    (void)fprintf(stderr, "damage: %s\n", why);
    exit(2);
}

/* ---- harming ---- */

static struct harm harm_bytes(uint64_t r, uint64_t number)
{
    struct harm h = {.cut_to = image_bytes, .at[0] = r % image_bytes};
    if (of_journal && number % 4)
        h.at[0] = damage_journal_place(&journal, r);
    if (number % 3 == 0) {
        h.name = "a flipped bit";
        h.size = 1;
        image[h.at[0]] ^= (uint8_t)(1u << (r >> 56 & 7));
        return h;
    }
    h.name = "overwritten bytes";
    h.size = 1 + (r >> 40) % 64;
    if (h.at[0] + h.size > image_bytes)
        h.size = image_bytes - h.at[0];
    for (uint64_t i = 0; i < h.size; i++)
        image[h.at[0] + i] = (uint8_t)trace_random(r, i);
    return h;
}

static struct harm harm_pages(uint64_t r, unsigned kind)
{
    uint64_t pages = image_bytes / PAGE_BYTES, a = r % pages * PAGE_BYTES, b = (r >> 32) % pages * PAGE_BYTES;
    if (of_journal && r >> 60 & 1)
        a = damage_journal_place(&journal, r) / PAGE_BYTES * PAGE_BYTES;
    struct harm h = {.cut_to = image_bytes, .at = {a, b}, .size = PAGE_BYTES};
    if (kind == 0) {
        h.name = "a zeroed page";
        memset(image + a, 0, PAGE_BYTES);
    } else if (kind == 1) {
        h.name = "swapped pages";
        h.moves_pages = true;
        memcpy(image + a, original + b, PAGE_BYTES);
        memcpy(image + b, original + a, PAGE_BYTES);
    } else if (kind == 2) {
        h.name = "a page in the place of another";
        h.moves_pages = true;
        memcpy(image + a, original + b, PAGE_BYTES);
    } else {
        h.name = "a zeroed sector";
        h.at[0] += (r >> 24 & 7) * SECTOR_BYTES;
        h.size = SECTOR_BYTES;
        memset(image + h.at[0], 0, SECTOR_BYTES);
    }
    return h;
}

static struct harm harm(size_t number)
{
    uint64_t r = trace_random(seed, number);
    if (of_journal && number % 1024 == 1) {
        return (struct harm){.name = "an old record in the place of the next",
                             .cut_to = image_bytes,
                             .at = {journal.next_at, journal.next_at},
                             .size = damage_journal_put_old(&journal, image)};
    }
    switch (number % 8) {
    case 0:
    case 1:
    case 2:
        return harm_bytes(r, number / 8);
    case 7:
        return (struct harm){.name = "a cut file", .cut_to = r % image_bytes};
    default:
        return harm_pages(r, (unsigned)(number % 8 - 3));
    }
}

static void put_range(int fd, uint64_t at, uint64_t size)
{
    if (pwrite(fd, image + at, size, (off_t)at) != (ssize_t)size)
        die("cannot write the copy");
}

static void put_harm(int fd, const struct harm *h)
{
    for (int i = 0; i < 2; i++) {
        if (h->size && h->at[i] + h->size <= image_bytes)
            put_range(fd, h->at[i], h->size);
    }
    if (ftruncate(fd, (off_t)h->cut_to) != 0)
        die("cannot cut the copy");
}

static void heal(int fd, const struct harm *h)
{
    for (int i = 0; i < 2 && h->size; i++)
        memcpy(image + h->at[i], original + h->at[i], h->at[i] + h->size <= image_bytes ? h->size : 0);
    put_harm(fd, &(struct harm){.at = {h->at[0], h->at[1]}, .size = h->size, .cut_to = image_bytes});
    if (h->cut_to < image_bytes)
        put_range(fd, h->cut_to, image_bytes - h->cut_to);
}

/* ---- looking ---- */

/* Every living message that is shown is one that was there, with its own body. */
static bool shows_right_bodies(const struct snapshot *s, char *why)
{
    for (size_t i = 0; i < s->topic_count; i++) {
        for (size_t k = 0; k < s->topics[i].count; k++) {
            const struct snapshot_row *row = &s->topics[i].rows[k], *was = NULL;
            for (size_t t = 0; t < sound.topic_count && !was; t++) {
                for (size_t n = 0;
                     n < sound.topics[t].count && strcmp(sound.topics[t].name, s->topics[i].name) == 0; n++) {
                    if (sound.topics[t].rows[n].seq == row->seq)
                        was = &sound.topics[t].rows[n];
                }
            }
            /* That one is shown which was done with is for the check to find. */
            if (row->dead || !was || was->dead || was->body_hash == row->body_hash)
                continue;
            (void)snprintf(why, SNAPSHOT_WHY_BYTES, "%s/%llu is shown with another body", s->topics[i].name,
                           (unsigned long long)row->seq);
            return false;
        }
    }
    return true;
}

static enum outcome wrong(char *why, const char *what)
{
    char said[SNAPSHOT_WHY_BYTES / 2];
    (void)snprintf(said, sizeof said, "%s", why);
    (void)snprintf(why, SNAPSHOT_WHY_BYTES, "%s%s", what, said);
    return WRONG;
}

/* A journal says itself what is damaged, and only if something is. */
static enum outcome look_at_journal(const struct harm *h, const struct snapshot *s, bool ok, char *why)
{
    size_t records, last;
    bool head = damage_journal_differs(&journal, image, &records, &last);
    if (!s->exists) {
        if (head && !records && h->cut_to == image_bytes)
            return wrong(why, "nothing that counts was damaged, and it is refused: ");
        bool says_all = strstr(why, "/journal: ") && strstr(why, "byte") && strstr(why, "restore");
        return says_all ? REFUSED : wrong(why, "it does not say what is damaged and what to do: ");
    }
    if (!ok && !records && damage_journal_keeps(&journal, image) && strstr(why, "checksum: "))
        return FOUND;
    if (!ok)
        return wrong(why, "only the check finds it: ");
    if (snapshot_same(s, &sound))
        return HARMLESS;
    for (size_t i = 0; i < last && i < SHORTER_MAX && h->cut_to == image_bytes; i++) {
        if (snapshot_same(s, &shorter[i]))
            return OLDER;
    }
    return wrong(why, "it is in order, and not what was written");
}

static enum outcome look(const char *dir, const struct harm *h, char *why)
{
    struct snapshot s;
    bool ok = snapshot_take(dir, true, &s, why);
    if (of_journal) {
        enum outcome outcome = look_at_journal(h, &s, ok, why);
        snapshot_done(&s);
        return outcome;
    }
    enum outcome outcome = !s.exists ? REFUSED : ok ? HARMLESS : FOUND;
    if (ok && !snapshot_same(&s, &sound)) {
        (void)snprintf(why, SNAPSHOT_WHY_BYTES, "it is in order, and not what was written");
        outcome = h->moves_pages || h->at[0] < META_BYTES ? OLDER : WRONG;
    }
    if (!shows_right_bodies(&s, why))
        outcome = WRONG;
    snapshot_done(&s);
    return outcome;
}

static void told(size_t number, const struct harm *h, enum outcome outcome, const char *why)
{
    shared->outcomes[outcome]++;
    size_t failures = shared->outcomes[WRONG] + shared->outcomes[DIED] + shared->outcomes[HUNG];
    if ((outcome == WRONG || outcome == DIED || outcome == HUNG) && failures <= FAILURES_SHOWN) {
        (void)printf("failure: seed %llu, state %zu, %s (at %llu, %llu): %s: %s\n", (unsigned long long)seed,
                     number, h->name, (unsigned long long)h->at[0], (unsigned long long)h->at[1],
                     outcome_names[outcome], why);
    }
    (void)fflush(stdout);
}

/* A child: from shared->at on, as far as it gets. */
static void go_through(const char *dir, int fd, size_t end)
{
    char why[SNAPSHOT_WHY_BYTES];
    for (; shared->at < end; shared->at++) {
        struct harm h = harm(shared->at);
        put_harm(fd, &h);
        why[0] = 0;
        (void)alarm(HANG_SECONDS);
        enum outcome outcome = look(dir, &h, why);
        (void)alarm(0);
        told(shared->at, &h, outcome, why);
        heal(fd, &h);
    }
    _exit(0);
}

static void run(const char *dir, int fd, size_t end)
{
    while (shared->at < end) {
        int status = 0;
        (void)fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            damage_guard(dir);
            go_through(dir, fd, end);
        }
        if (child < 0 || waitpid(child, &status, 0) != child)
            die("cannot fork");
        if (shared->at == end)
            return;
        char why[64];
        struct harm h = harm(shared->at);
        (void)snprintf(why, sizeof why, "status %#x", (unsigned)status);
        bool ended = WIFEXITED(status) && WEXITSTATUS(status) == ENDED;
        bool hung = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
        told(shared->at, &h, ended ? ENDED_ITSELF : hung ? HUNG : DIED, why);
        memcpy(image, original, image_bytes);
        put_harm(fd, &(struct harm){.size = 0, .cut_to = image_bytes});
        put_range(fd, 0, image_bytes);
        shared->at++;
    }
}

/* ---- the store ---- */

/* One file of the store; of the store's own only what is used. */
static uint8_t *load(const char *dir, const char *name, uint64_t *ret_bytes)
{
    char path[PATH_MAX];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        die("cannot open the store");
    const uint8_t *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        die("cannot map the store");
    (void)close(fd); /* the map stays */
    uint64_t used = (uint64_t)st.st_size;
    while (strcmp(name, DATA_NAME) == 0 && used > PAGE_BYTES && map[used - 1] == 0)
        used--;
    *ret_bytes = ((used + PAGE_BYTES - 1) / PAGE_BYTES + EMPTY_PAGES) * PAGE_BYTES;
    if (*ret_bytes > (uint64_t)st.st_size)
        *ret_bytes = (uint64_t)st.st_size;
    uint8_t *bytes = malloc(*ret_bytes);
    if (!bytes)
        die("no memory");
    memcpy(bytes, map, *ret_bytes);
    (void)munmap((void *)(uintptr_t)map, (size_t)st.st_size);
    return bytes;
}

static int copy(const char *dir, const char *name, const uint8_t *bytes, uint64_t size)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || pwrite(fd, bytes, size, 0) != (ssize_t)size)
        die("cannot make a copy");
    return fd;
}

/* What the store is without its last records. */
static void look_at_shorter(const char *dir, int fd)
{
    static const uint8_t zeros[JOURNAL_HEAD_BYTES];
    char why[SNAPSHOT_WHY_BYTES];
    for (size_t i = 0; i < SHORTER_MAX && i < journal.count; i++) {
        uint64_t at = journal.records[journal.count - 1 - i].at;
        if (pwrite(fd, zeros, sizeof zeros, (off_t)at) != (ssize_t)sizeof zeros ||
            !snapshot_take(dir, true, &shorter[i], why))
            die("the journal cannot be read without its last records");
    }
    put_range(fd, 0, image_bytes);
}

/* Change the first message's body in the copy, as nothing but a lie can. */
static void forge(const char *dir)
{
    struct store_lmdb_options options = {.dir = dir, .map_bytes = 1 << 24, .map_bytes_max = 1 << 24};
    char why[SNAPSHOT_WHY_BYTES];
    struct store *store;
    struct store_txn *txn;
    struct store_cursor *cursor;
    struct slice key, value, body;
    struct message_head head;
    uint8_t key_copy[STORE_KEY_BYTES_MAX], copy[PAGE_BYTES], row[2 * PAGE_BYTES];
    if (store_lmdb_open(&options, &store, why, sizeof why) || store_begin(store, true, &txn) ||
        store_cursor_open(txn, TABLE_MESSAGE, &cursor) ||
        store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value) ||
        message_decode(key, value, true, &head, &body) || body.size > sizeof copy)
        die("cannot forge");
    memcpy(copy, body.data, body.size);
    memcpy(key_copy, key.data, key.size);
    copy[body.size - 1] ^= 1;
    key.data = key_copy;
    store_cursor_close(cursor);
    message_encode(row, key, &head, (struct slice){copy, body.size});
    if (store_put(txn, TABLE_MESSAGE, key, (struct slice){row, value.size}) || store_commit(txn))
        die("cannot forge");
    store_close(store);
}

int main(int argc, char **argv)
{
    char dir[PATH_MAX], why[SNAPSHOT_WHY_BYTES] = "";
    char *name = argc < 3 ? NULL : strrchr(argv[1], '/');
    if (!name)
        die("usage: damage DIR/FILE WORK [STATES [SEED [FIRST]]]");
    *name++ = 0;
    of_journal = strcmp(name, DATA_NAME) != 0;
    size_t count = argc > 3 ? strtoul(argv[3], NULL, 10) : 4000;
    seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
    size_t first = argc > 5 ? strtoul(argv[5], NULL, 10) : 0;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        die("no memory");
    original = load(argv[1], name, &image_bytes);
    image = malloc(image_bytes);
    (void)snprintf(dir, sizeof dir, "%s/damaged", argv[2]);
    if (!image || mkdir(dir, 0700) != 0)
        die("cannot make a copy");
    memcpy(image, original, image_bytes);
    int fd = copy(dir, name, original, image_bytes);
    if (of_journal) {
        uint64_t bytes;
        uint8_t *data = load(argv[1], DATA_NAME, &bytes);
        (void)close(copy(dir, DATA_NAME, data, bytes)); /* it is written */
        free(data);
    }
    if (!snapshot_take(dir, true, &sound, why) || !sound.exists)
        die("the store is not in order to begin with");
    if (of_journal) {
        if (!damage_journal_read(&journal, dir, original, image_bytes))
            die("the journal has nothing to damage");
        look_at_shorter(dir, fd);
    }
    shared->at = first;
    if (getenv("SHUNT_PLANT_FORGED")) {
        forge(dir);
        struct harm forged = {.name = "a forged message"};
        told(0, &forged, look(dir, &forged, why), why);
    } else {
        run(dir, fd, first + count);
    }
    size_t failures = shared->outcomes[WRONG] + shared->outcomes[DIED] + shared->outcomes[HUNG];
    (void)printf("states=%zu pages=%llu records=%zu ", count, (unsigned long long)(image_bytes / PAGE_BYTES),
                 journal.count);
    for (int i = 0; i < OUTCOMES; i++)
        (void)printf("%s=%zu ", outcome_names[i], shared->outcomes[i]);
    (void)printf("failures=%zu\n", failures);
    snapshot_done(&sound);
    for (size_t i = 0; i < SHORTER_MAX; i++)
        snapshot_done(&shorter[i]);
    (void)close(fd); /* of no more use */
    return failures ? 1 : 0;
}
