/* main: runs seeds and says which one fails, and how to repeat it. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char repeat[200]; /* how to repeat what is running now */

static void on_crash(int signal_number)
{
    (void)!write(STDOUT_FILENO, repeat, strlen(repeat));
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

struct options {
    uint64_t first, count;
    enum plant plant;
    const char *history;
    bool twice, verbose;
};

static void usage(FILE *to)
{
    (void)fputs("Usage: shunt-sim [--seed N] [--seeds COUNT] [--plant BUG] [--twice] [--history FILE] [-v]\n"
                "Runs COUNT seeds (1) from N (1) on. Exit status: 0 nothing was wrong, 1 something was.\n"
                "--plant BUG     leave the disk after each crash as a broker with that bug would have; then "
                "finding something\n"
                "                wrong within COUNT seeds is success. BUG: confirm-early, split-divert, "
                "volatile-count,\n"
                "                lost-ack, no-checksum\n"
                "--twice         run each seed twice: both must go the same way, byte for byte\n"
                "--history FILE  write the history of the last seed, as JSON lines\n"
                "-v              one line for each seed\n",
                to);
}

static struct options read_options(int argc, char **argv)
{
    struct options o = {.first = 1, .count = 1};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--seed") && value) {
            o.first = strtoull(value, NULL, 10);
            i++;
        } else if (!strcmp(argv[i], "--seeds") && value) {
            o.count = strtoull(value, NULL, 10);
            i++;
        } else if (!strcmp(argv[i], "--plant") && value && plant_find(value) < PLANTS) {
            o.plant = plant_find(value);
            i++;
        } else if (!strcmp(argv[i], "--history") && value) {
            o.history = value;
            i++;
        } else if (!strcmp(argv[i], "--twice")) {
            o.twice = true;
        } else if (!strcmp(argv[i], "-v")) {
            o.verbose = true;
        } else {
            usage(!strcmp(argv[i], "--help") ? stdout : stderr);
            exit(!strcmp(argv[i], "--help") ? 0 : 64);
        }
    }
    return o;
}

/* All runs together, to see that they saw something. */
static struct sim_figures total;
static uint64_t total_deliveries;

static void add_up(const struct sim *s)
{
    const uint64_t *from = (const uint64_t *)(const void *)&s->figures;
    uint64_t *to = (uint64_t *)(void *)&total;
    for (size_t i = 0; i < sizeof total / sizeof *to; i++)
        to[i] += from[i];
    for (size_t i = 0; i < s->history.count; i++)
        total_deliveries += s->history.events[i].kind == HISTORY_DELIVER;
}

static bool run_seed(const struct options *o, uint64_t seed, uint64_t *ret_trace)
{
    static struct sim s;
    (void)snprintf(repeat, sizeof repeat,
                   "seed %" PRIu64 " ended the process; again: shunt-sim --seed %" PRIu64 " --plant %s\n",
                   seed, seed, plant_name(o->plant));
    FILE *file = o->history ? fopen(o->history, "w") : NULL;
    bool good = sim_run(&s, seed, o->plant, file);
    if (file)
        (void)fclose(file); /* for people to look at */
    if (!good && o->plant == PLANT_NONE)
        (void)printf("seed %" PRIu64 " failed; again: shunt-sim --seed %" PRIu64 "\n%s\n", seed, seed, s.why);
    else if (!good)
        (void)printf("seed %" PRIu64 ": %s was found: %.300s\n", seed, plant_name(o->plant), s.why);
    if (o->verbose)
        (void)printf("seed %" PRIu64 " trace %016" PRIx64 " rounds %" PRIu64 " turns %" PRIu64
                     " events %zu\n",
                     seed, s.trace, s.figures.rounds, s.figures.turns, s.history.count);
    (void)fflush(stdout);
    *ret_trace = s.trace;
    add_up(&s);
    sim_done(&s);
    return good;
}

/* A rig that saw too little proves nothing. */
static bool saw_enough(uint64_t seeds)
{
    const struct {
        const char *what;
        uint64_t seen, least_in_100;
    } wants[] = {{"published", total.published, 2000},
                 {"deliveries", total_deliveries, 4000},
                 {"crashes", total.crashes, 50},
                 {"deaths by a fault", total.deaths, 10},
                 {"breaks", total.breaks, 100},
                 {"stalls", total.stalls, 100},
                 {"jumps", total.jumps, 20},
                 {"damages", total.damages, 10},
                 {"hostile frames", total.hostile, 10},
                 {"turns with a full map", total.full_turns, 100},
                 {"publishes refused as full", total.refused_full, 20}};
    bool good = true;
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++) {
        if (seeds < 100 || wants[i].seen >= wants[i].least_in_100 * (seeds / 100))
            continue;
        (void)printf("saw too little: %" PRIu64 " %s\n", wants[i].seen, wants[i].what);
        good = false;
    }
    (void)printf("%" PRIu64 " seeds: rounds=%" PRIu64 " turns=%" PRIu64 " published=%" PRIu64
                 " deliveries=%" PRIu64 " crashes=%" PRIu64 " deaths=%" PRIu64 " breaks=%" PRIu64
                 " stalls=%" PRIu64 " jumps=%" PRIu64 " damages=%" PRIu64 " hostile=%" PRIu64
                 " full_turns=%" PRIu64 " refused_full=%" PRIu64 "\n",
                 seeds, total.rounds, total.turns, total.published, total_deliveries, total.crashes,
                 total.deaths, total.breaks, total.stalls, total.jumps, total.damages, total.hostile,
                 total.full_turns, total.refused_full);
    return good;
}

int main(int argc, char **argv)
{
    struct options o = read_options(argc, argv);
    uint64_t failures = 0;
    (void)signal(SIGABRT, on_crash);
    (void)signal(SIGSEGV, on_crash);
    for (uint64_t i = 0; i < o.count; i++) {
        uint64_t trace, again;
        bool good = run_seed(&o, o.first + i, &trace);
        if (good && o.twice && run_seed(&o, o.first + i, &again) && again != trace) {
            (void)printf("seed %" PRIu64 " did not go the same way twice\n", o.first + i);
            good = false;
        }
        failures += !good;
        if (!good && o.plant != PLANT_NONE)
            return 0; /* found, as it must be */
        if (failures == 5)
            break;
    }
    if (o.plant != PLANT_NONE) {
        (void)printf("%s was not found in %" PRIu64 " seeds\n", plant_name(o.plant), o.count);
        return 1;
    }
    if (!saw_enough(o.count) && !failures)
        failures++;
    return failures ? 1 : 0;
}
