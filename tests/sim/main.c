/* main: runs seeds and says which one fails, and how to repeat it. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAILURES_MAX 5
#define JOBS_MAX     16

struct options {
    uint64_t first, count, stride;
    enum plant plant;
    const char *history;
    bool twice, verbose;
    struct sim_how how;
    unsigned jobs;
};

static const char help[] =
    "Usage: shunt-sim [OPTION]...\n"
    "Simulates a broker and its clients on a disk and a network that fail, and judges what the clients saw.\n"
    "Exit status: 0 nothing was wrong, 1 something was.\n"
    "--seed N        the first seed (1)\n"
    "--seeds COUNT   how many (1); the environment's SHUNT_SIM_SEEDS is used in place of a COUNT over 200\n"
    "-j N            in so many processes\n"
    "--plant BUG     run as a broker with that bug would, or leave the disk after each crash as it would "
    "have;\n"
    "                then finding something wrong within COUNT seeds is success. BUG: confirm-early, "
    "split-divert,\n"
    "                volatile-count, lost-ack, no-checksum; over-credit, early-retry, late-answer,\n"
    "                short-extension, charge-bystanders, no-suspects, no-pause, unheeded-end, forgiven-end,\n"
    "                untold-room, fed-silent, old-token, charge-prefetch, lost-outcome; volatile-rule,\n"
    "                forgotten-ruling, early-rule, moved-twice; order-two, order-restart, order-redrive,\n"
    "                order-lease, order-stuck, dead-forgotten, dead-stuck, run-kept;\n"
    "                fair-starve, fair-forget; breaker-charges, breaker-pardons, breaker-floods,\n"
    "                breaker-stuck, breaker-forgotten, breaker-poison;\n"
    "                late-deadline,\n"
    "                charged-late, kept-deadline; untold-damage; late-begin;\n"
    "                journal-early-reply, journal-round-early,\n"
    "                journal-away-early, journal-skip-last, journal-drop-frozen,\n"
    "                journal-old-round, journal-bad-middle\n"
    "--calm          let nothing go wrong; then it is success that too little was seen\n"
    "--no-model      without the model: only the audit and the judge of histories\n"
    "--twice         run each seed twice: both must go the same way, byte for byte\n"
    "--history FILE  write the history of the last seed, as JSON lines\n"
    "-v              one line for each seed\n";

static uint64_t read_number(const char *text)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);
    if (*end || end == text) {
        (void)fprintf(stderr, "shunt-sim: %s is not a number\n", text);
        exit(64);
    }
    return number;
}

/* Options without a value; false if it is none. */
static bool read_switch(struct options *o, const char *name)
{
    if (!strcmp(name, "--help")) {
        (void)fputs(help, stdout);
        exit(0);
    }
    bool *given = !strcmp(name, "--twice")      ? &o->twice
                  : !strcmp(name, "--calm")     ? &o->how.calm
                  : !strcmp(name, "--no-model") ? &o->how.no_model
                  : !strcmp(name, "-v")         ? &o->verbose
                                                : NULL;
    if (given)
        *given = true;
    return given != NULL;
}

static bool read_option(struct options *o, const char *name, const char *value)
{
    if (!strcmp(name, "--seed"))
        o->first = read_number(value);
    else if (!strcmp(name, "--seeds"))
        o->count = read_number(value);
    else if (!strcmp(name, "-j"))
        o->jobs = (unsigned)read_number(value);
    else if (!strcmp(name, "--plant"))
        o->plant = plant_find(value);
    else if (!strcmp(name, "--history"))
        o->history = value;
    else
        return false;
    return true;
}

static struct options read_options(int argc, char **argv)
{
    struct options o = {.first = 1, .count = 1, .stride = 1, .jobs = 1};
    bool good = true;
    for (int i = 1; good && i < argc; i++) {
        if (read_switch(&o, argv[i]))
            continue;
        good = i + 1 < argc && read_option(&o, argv[i], argv[i + 1]);
        i++;
    }
    if (!good || o.plant == PLANTS || o.jobs < 1 || o.jobs > JOBS_MAX) {
        (void)fputs(help, stderr);
        exit(64);
    }
    const char *more = getenv("SHUNT_SIM_SEEDS");
    if (more && o.count > 200)
        o.count = read_number(more);
    return o;
}

/* ---- what all runs saw ---- */

static struct sim_figures total;
static struct journal_figures total_journal;
static uint64_t total_deliveries;

static void add(void *to, const void *from, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
        ((uint64_t *)to)[i] += ((const uint64_t *)from)[i];
}

static void add_up(const struct sim *s)
{
    add(&total, &s->figures, sizeof total);
    add(&total_journal, &s->disk.journal.figures, sizeof total_journal);
    for (size_t i = 0; i < s->history.count; i++)
        total_deliveries += s->history.events[i].kind == HISTORY_DELIVER;
}

/* A rig that saw too little proves nothing. Few seeds are for people who look at one. */
struct want {
    const char *what;
    uint64_t seen, least_in_1000;
};

static bool are_enough(const struct want *wants, size_t count, uint64_t seeds)
{
    size_t few = 0;
    (void)printf("%" PRIu64 " seeds:", seeds);
    for (size_t i = 0; i < count; i++)
        (void)printf(" %s=%" PRIu64 "%s", wants[i].what, wants[i].seen, i + 1 < count ? "" : "\n");
    for (size_t i = 0; i < count; i++) {
        if (wants[i].seen >= wants[i].least_in_1000 * (seeds / 100) / 10)
            continue;
        (void)printf("saw too little: %s\n", wants[i].what);
        few++;
    }
    return !few;
}

static bool saw_enough(uint64_t seeds)
{
    const struct want wants[] = {{"published", total.published, 100000},
                                 {"deliveries", total_deliveries, 200000},
                                 {"turns", total.turns, 50000},
                                 {"crashes", total.crashes, 500},
                                 {"deaths", total.deaths, 200},
                                 {"breaks", total.breaks, 1000},
                                 {"stalls", total.stalls, 2000},
                                 {"jumps", total.jumps, 200},
                                 {"damages", total.damages, 100},
                                 {"hostile", total.hostile, 200},
                                 {"full_turns", total.full_turns, 1000},
                                 {"refused_full", total.refused_full, 1000},
                                 {"walks", total.walks, 50000},
                                 {"stale", total.stale, 500},
                                 {"suspects", total.suspects, 1000},
                                 {"ends", total.ends, 500},
                                 {"ends_inside", total.ends_inside, 50},
                                 {"ends_holding", total.ends_holding, 200},
                                 {"ends_asked", total.ends_asked, 100},
                                 {"deaf", total.deaf, 1000},
                                 {"bound", total.bound, 500},
                                 {"room_told", total.room_told, 200},
                                 {"thinned", total.thinned, 20},
                                 {"pokes", total.pokes, 1000},
                                 {"queued", total.queued, 200},
                                 {"kept", total.kept, 200},
                                 {"muted", total.muted, 50},
                                 {"discarded", total.discarded, 50},
                                 {"brought_back", total.brought_back, 50},
                                 {"moved", total.moved, 50},
                                 {"opened", total.opened, 200},
                                 {"probed", total.probed, 200},
                                 {"ramped", total.ramped, 100},
                                 {"ramped_up", total.ramped_up, 50},
                                 {"expired", total.expired, 200},
                                 {"in_time", total.in_time, 2000},
                                 {"freezes", total_journal.freezes, 200},
                                 {"merges", total_journal.merges, 200},
                                 {"stubs", total_journal.stubs, 200},
                                 {"aways", total_journal.aways, 200},
                                 {"beside", total_journal.beside, 200},
                                 {"rounds", total_journal.rounds, 200},
                                 {"longer", total_journal.longer, 50},
                                 {"no_disk", total_journal.no_disk, 10},
                                 {"behind", total_journal.behind, 50},
                                 {"torn", total_journal.torn, 10},
                                 {"whole", total_journal.whole, 10},
                                 {"replayed_0", total_journal.replayed_0, 10},
                                 {"replayed_1", total_journal.replayed_1, 10},
                                 {"replayed_more", total_journal.replayed_more, 100},
                                 {"crash_frozen", total_journal.crash_frozen, 10},
                                 {"crash_merged", total_journal.crash_merged, 10},
                                 {"kept_cache", total_journal.kept_cache, 100},
                                 {"cut_starts", total_journal.cut_starts, 50},
                                 {"begun", total_journal.begun, 10},
                                 {"ended", total_journal.ended, 10},
                                 {"damaged", total_journal.damaged, 10},
                                 {"checked", total_journal.checked, 10}};
    return are_enough(wants, sizeof wants / sizeof *wants, seeds);
}

/* ---- running ---- */

static char repeat[200]; /* how to repeat what is running now */

static void on_crash(int signal_number)
{
    (void)!write(STDOUT_FILENO, repeat, strlen(repeat));
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

static bool run_seed(const struct options *o, uint64_t seed, uint64_t *ret_trace)
{
    static struct sim s;
    (void)snprintf(repeat, sizeof repeat,
                   "seed %" PRIu64 " ended the process; again: shunt-sim --seed %" PRIu64 " --plant %s\n",
                   seed, seed, plant_name(o->plant));
    FILE *file = o->history ? fopen(o->history, "w") : NULL;
    bool good = sim_run(&s, seed, o->plant, &o->how, file);
    if (file)
        (void)fclose(file); /* for people to look at */
    if (!good && o->plant == PLANT_NONE)
        (void)printf("seed %" PRIu64 " failed; again: shunt-sim --seed %" PRIu64 "\n%s\n", seed, seed, s.why);
    else if (!good)
        (void)printf("seed %" PRIu64 ": %s was found: %.200s\n", seed, plant_name(o->plant), s.why);
    if (o->verbose) {
        (void)printf("seed %" PRIu64 " trace %016" PRIx64 " rounds %" PRIu64 " turns %" PRIu64
                     " events %zu\n",
                     seed, s.trace, s.figures.rounds, s.figures.turns, s.history.count);
    }
    (void)fflush(stdout);
    *ret_trace = s.trace;
    add_up(&s);
    sim_done(&s);
    return good;
}

/* Returns the exit status. */
static int run_share(const struct options *o)
{
    unsigned failures = 0;
    uint64_t runs = 0;
    (void)signal(SIGABRT, on_crash);
    (void)signal(SIGSEGV, on_crash);
    for (uint64_t i = 0; i < o->count && failures < FAILURES_MAX; i += o->stride, runs++) {
        uint64_t trace, again;
        bool good = run_seed(o, o->first + i, &trace);
        if (good && o->twice && run_seed(o, o->first + i, &again) && again != trace) {
            (void)printf("seed %" PRIu64 " did not go the same way twice\n", o->first + i);
            good = false;
        }
        if (!good && o->plant != PLANT_NONE)
            return 0; /* found, as it must be */
        failures += !good;
    }
    if (o->plant != PLANT_NONE) {
        (void)printf("%s was not found\n", plant_name(o->plant));
        return 1;
    }
    bool enough = saw_enough(runs);
    return failures == 0 && enough != o->how.calm ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options o = read_options(argc, argv);
    int status = 0, child;
    if (o.jobs == 1)
        return run_share(&o);
    o.stride = o.jobs;
    for (unsigned i = 0; i < o.jobs; i++) {
        pid_t pid = fork();
        if (pid < 0)
            return 1;
        if (pid == 0) {
            o.first += i;
            o.count -= i < o.count ? i : o.count;
            exit(run_share(&o));
        }
    }
    while (wait(&child) > 0) {
        if (!WIFEXITED(child) || WEXITSTATUS(child))
            status = 1;
    }
    return status;
}
