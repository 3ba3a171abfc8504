/* export: a process reads, and when damage ends it this one says what was lost and starts another behind that place.
 *
 * LMDB finds most damage to its pages itself, but some makes it read where nothing is, or search for ever. In a process of its own that costs what
 * lies on that page and no more. Where the tree leads to a damaged page, the next number that can be found is sought: one by one as far as
 * a page of small messages goes, then in larger steps, and back by halves.
 */
#include "broker/export.h"

#include "broker/exit_code.h"
#include "broker/export_rows.h"
#include "proto/errors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SINGLE_STEPS       64 /* messages that fit on a page, about */
#define STEP_MAX           (1ull << 40)
#define TOPICS_FAILED_MAX  8  /* so many in succession of which nothing is found */
#define DETAILS_FAILED_MAX 64 /* readers that end at a dead letter, before no more are looked at */
#define LINES_MAX          100

struct export
{
    const struct config *config;
    const char *to; /* NULL: standard output */
    char partial[STORE_PATH_BYTES];
    int fd;
    struct export_progress *p; /* shared with the reader */
    uint64_t gaps;             /* places where something could not be read */
    unsigned details_failed;   /* readers that ended at a dead letter */
};

static volatile sig_atomic_t stopped,
    reader; /* reader: the process that is not reaped yet; 0: there is none */

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
    if (reader)
        (void)kill(reader, SIGKILL);
}

/* ---- one reader ---- */

/* Returns whether it ended well. */
static bool read_on(struct export *e, bool probe)
{
    int status = 0;
    siginfo_t info;
    sigset_t ends, before;
    (void)sigemptyset(&ends); /* none of these can fail for signals that there are */
    (void)sigaddset(&ends, SIGINT);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &ends, &before);
    e->p->err = 0;
    pid_t child = stopped ? -1 : fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC); /* LMDB's last words, and the guard's */
        (void)dup2(nowhere, STDERR_FILENO);
        (void)signal(SIGINT, SIG_IGN); /* the other process ends it */
        (void)signal(SIGTERM, SIG_DFL);
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        export_read(e->config, e->fd, probe, e->p);
    }
    reader = child > 0 ? child : 0;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (child < 0) {
        e->p->phase = EXPORT_WRITE;
        e->p->err = SHUNT_NO_MEMORY;
        return false;
    }
    while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        continue;
    reader = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool found_from(struct export *e, struct export_place at)
{
    e->p->next = at;
    return read_on(e, true);
}

/* ---- what is lost ---- */

static void tell_gap(struct export *e, struct export_place from, struct export_place to)
{
    if (e->gaps++ >= LINES_MAX)
        return;
    (void)fprintf(stderr, "unreadable: topic number %" PRIu32 ", ", from.topic);
    if (from.topic != to.topic) {
        (void)fprintf(stderr, "what there was from message %" PRIu64 " on\n", from.seq);
    } else if (to.seq == from.seq + 1) {
        (void)fprintf(stderr, "message %" PRIu64 "\n", from.seq);
    } else {
        (void)fprintf(stderr, "what there was of messages %" PRIu64 " to %" PRIu64 "\n", from.seq,
                      to.seq - 1);
    }
}

/* The smallest number of the topic from which on something is found, between one that leads nowhere and one that does not. */
static struct export_place halve(struct export *e, struct export_place bad, struct export_place good)
{
    while (good.seq - bad.seq > 1 && !stopped) {
        struct export_place middle = {bad.topic, bad.seq + (good.seq - bad.seq) / 2};
        *(found_from(e, middle) ? &good : &bad) = middle;
    }
    return good;
}

/* Nothing is found from `next` on: go behind the damage. False: there is nothing any more. */
static bool skip(struct export *e)
{
    struct export_place from = e->p->next, bad = from, at = from;
    uint64_t step = 1;
    unsigned failed = 0;
    for (unsigned tries = 1; !stopped; tries++) {
        if (tries > SINGLE_STEPS)
            step *= 2;
        at.seq = bad.seq + step;
        if (step > STEP_MAX) {
            if (++failed == TOPICS_FAILED_MAX)
                break;
            at = (struct export_place){bad.topic + 1, 0};
            step = 1;
            tries = SINGLE_STEPS; /* this topic's first numbers need not be there */
        }
        if (found_from(e, at)) {
            if (at.topic == bad.topic)
                at = halve(e, bad, at);
            tell_gap(e, from, at);
            e->p->next = at;
            return true;
        }
        if (e->p->phase != EXPORT_SEEK)
            break;
        bad = at;
    }
    if (!stopped)
        tell_gap(e, from, (struct export_place){UINT32_MAX, 0});
    return false;
}

/* The reader ended before it was done. False: no other could go on. */
static bool go_behind(struct export *e)
{
    struct export_progress *p = e->p;
    switch (p->phase) {
    case EXPORT_JOURNAL:
        if (p->err == SHUNT_NO_MEMORY)
            return false;
        (void)fprintf(stderr, "unreadable: the journal: what only it had is not there: %s\n",
                      p->err ? p->why : "its pages lead nowhere");
        e->gaps++;
        p->no_journal = true;
        return true;
    case EXPORT_CATALOGUE:
        (void)fprintf(
            stderr,
            "unreadable: topics and groups: messages have the number of their topic and not its name, and "
            "nothing is told of dead letters\n");
        e->gaps++;
        p->no_catalogue = true;
        p->counted = false;
        return true;
    case EXPORT_MESSAGE:
        tell_gap(e, p->at, (struct export_place){p->at.topic, p->at.seq + 1});
        p->damaged++;
        if (p->at.topic == p->next.topic && p->at.seq == p->next.seq)
            p->next.seq++;
        else
            p->no_misplaced = true;
        return true;
    case EXPORT_DETAILS:
        p->without = p->at;
        p->no_details = ++e->details_failed == DETAILS_FAILED_MAX || p->no_details;
        return true;
    case EXPORT_SEEK:
        return skip(e);
    case EXPORT_OPEN:
    case EXPORT_WRITE:
    case EXPORT_ENDED:
        break;
    }
    return false;
}

/* ---- the file ---- */

static int begin(struct export *e)
{
    e->fd = STDOUT_FILENO;
    if (!e->to)
        return EXIT_CODE_OK;
    int size = snprintf(e->partial, sizeof e->partial, "%s.partial", e->to);
    if (size < 0 || (size_t)size >= sizeof e->partial || !*e->to) {
        (void)fprintf(stderr, "shuntd: --export: the name of the file is empty or too long\n");
        return EXIT_CODE_USAGE;
    }
    if (access(e->to, F_OK) == 0) {
        (void)fprintf(stderr, "shuntd: %s is there already: name another file\n", e->to);
        return EXIT_CODE_USAGE;
    }
    e->fd = open(e->partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (e->fd >= 0)
        return EXIT_CODE_OK;
    (void)fprintf(stderr, "shuntd: cannot make %s: %s\n", e->partial, strerror(errno));
    return EXIT_CODE_READ_ONLY;
}

/* Whole and durable, or not there. */
static int finish(struct export *e, int exit_code)
{
    if (!e->to)
        return exit_code;
    bool whole = exit_code == EXIT_CODE_OK || exit_code == EXIT_CODE_PROBLEMS;
    bool kept = whole && fsync(e->fd) == 0 && rename(e->partial, e->to) == 0;
    if (whole && !kept) {
        (void)fprintf(stderr, "shuntd: cannot write %s: %s\n", e->to, strerror(errno));
        exit_code = EXIT_CODE_IO;
    }
    if (!kept)
        (void)unlink(e->partial);
    (void)close(e->fd);
    return exit_code;
}

/* ---- the whole ---- */

static int summarize(const struct export *e)
{
    const struct export_progress *p = e->p;
    if (e->gaps > LINES_MAX)
        (void)fprintf(stderr, "and %" PRIu64 " more places\n", e->gaps - LINES_MAX);
    if (p->damaged)
        (void)fprintf(stderr, "damaged: %" PRIu64 " messages are not what was published\n", p->damaged);
    if (p->nameless) {
        (void)fprintf(stderr,
                      "nameless: %" PRIu64
                      " messages are of topics whose record cannot be read; their ids begin with #\n",
                      p->nameless);
    }
    if (p->without_details) {
        (void)fprintf(stderr,
                      "incomplete: of %" PRIu64
                      " messages it could not be read whether they are dead, or not all of why\n",
                      p->without_details);
    }
    if (p->done)
        (void)fprintf(stderr, "left out: %" PRIu64 " messages that all groups are done with\n", p->done);
    bool missing = p->counted && p->exported != p->stored;
    if (missing)
        (void)fprintf(stderr, "missing: the topics' records count %" PRIu64 " stored messages\n", p->stored);
    (void)fprintf(stderr, "exported %" PRIu64 " messages%s\n", p->exported,
                  p->dropped ? "; those of deleted topics are left out" : "");
    bool lost = e->gaps || p->damaged || p->nameless || p->without_details || missing || !p->counted;
    return lost ? EXIT_CODE_PROBLEMS : EXIT_CODE_OK;
}

static int export_all(struct export *e)
{
    bool well = false;
    do {
        well = read_on(e, false);
    } while (!stopped && (!well ? go_behind(e) : e->p->phase != EXPORT_ENDED));
    if (stopped) {
        (void)fprintf(stderr, "shuntd: the export was stopped%s\n", e->to ? ": nothing is left of it" : "");
        return EXIT_CODE_CUT_SHORT;
    }
    if (e->p->phase == EXPORT_OPEN || e->p->phase == EXPORT_JOURNAL) {
        bool told = e->p->err && e->p->why[0];
        (void)fprintf(stderr, "shuntd: %s%s\n",
                      told ? e->p->why
                           : "the first pages of the store are damaged, and nothing can be read: restore it "
                             "from a backup: ",
                      told ? "" : e->config->text[CONFIG_data]);
        return e->p->err ? exit_code_of(e->p->err) : EXIT_CODE_DATA;
    }
    if (e->p->phase == EXPORT_WRITE) {
        (void)fprintf(stderr, "shuntd: the export could not be written: %s\n",
                      err_text(e->p->err ? e->p->err : SHUNT_IO));
        return e->p->err ? exit_code_of(e->p->err) : EXIT_CODE_IO;
    }
    return summarize(e);
}

int export_run(const struct config *config, const char *to)
{
    struct export e = {.config = config, .to = strcmp(to, "-") == 0 ? NULL : to};
    struct sigaction on = {.sa_handler = on_signal};
    (void)sigemptyset(&on.sa_mask);
    (void)sigaction(SIGINT, &on, NULL); /* none of these can fail for a signal that there is */
    (void)sigaction(SIGTERM, &on, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    e.p = mmap(NULL, sizeof *e.p, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (e.p == MAP_FAILED) {
        (void)fprintf(stderr, "shuntd: --export: out of memory\n");
        return EXIT_CODE_SYSTEM;
    }
    int exit_code = begin(&e);
    if (exit_code == EXIT_CODE_OK)
        exit_code = finish(&e, export_all(&e));
    (void)munmap(e.p, sizeof *e.p);
    return exit_code;
}
