/* shunt-history: judge the histories in these files as one. */
#include "tests/history/history.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void usage(FILE *to)
{
    (void)fputs(
        "Usage: shunt-history [--least KIND=N]... FILE...\n"
        "Reads histories (JSON lines, docs/reliability.md), merges them by time and says what in "
        "them breaks a promise.\n"
        "KIND is confirmed, deliveries, acked, unknown, stale, dead, redelivered, lost, restarts, passed, "
        "in_order or late: a\n"
        "history that has fewer proves too little. Exit status: 0 none broken, 1 some, 2 not a history.\n",
        to);
}

static bool enough(const struct history_verdict *v, const char *want)
{
    const struct {
        const char *name;
        uint64_t seen;
    } figures[] = {{"confirmed", v->confirmed},
                   {"deliveries", v->deliveries},
                   {"acked", v->acked},
                   {"unknown", v->unknown},
                   {"stale", v->stale},
                   {"dead", v->dead},
                   {"redelivered", v->redelivered},
                   {"lost", v->lost},
                   {"restarts", v->restarts},
                   {"passed", v->passed},
                   {"in_order", v->in_order},
                   {"late", v->late}};
    const char *equals = strchr(want, '=');
    for (size_t i = 0; equals && i < sizeof figures / sizeof *figures; i++) {
        if (strlen(figures[i].name) != (size_t)(equals - want) ||
            strncmp(want, figures[i].name, (size_t)(equals - want)) != 0)
            continue;
        bool good = figures[i].seen >= strtoull(equals + 1, NULL, 10);
        if (!good)
            (void)printf("saw too little: %s, but %" PRIu64 "\n", want, figures[i].seen);
        return good;
    }
    (void)fprintf(stderr, "shunt-history: --least %s is not KIND=N\n", want);
    exit(64);
}

int main(int argc, char **argv)
{
    struct history h = {0};
    struct history_verdict v;
    int first = 1;
    while (first + 1 < argc && !strcmp(argv[first], "--least"))
        first += 2;
    if (first >= argc || argv[first][0] == '-') {
        usage(argc > 1 && !strcmp(argv[1], "--help") ? stdout : stderr);
        return argc > 1 && !strcmp(argv[1], "--help") ? 0 : 64;
    }
    for (int i = first; i < argc; i++) {
        char why[300];
        FILE *file = fopen(argv[i], "r");
        if (!file || !history_read(&h, file, why, sizeof why)) {
            (void)fprintf(stderr, "shunt-history: %s: %s\n", argv[i], file ? why : "cannot be opened");
            return 2;
        }
        (void)fclose(file); /* only read from */
    }
    history_judge(&h, &v);
    bool good = v.problems == 0;
    for (int i = 1; i < first; i += 2)
        good = enough(&v, argv[i + 1]) && good;
    (void)fputs(v.text, stdout);
    (void)printf("%" PRIu64 " problems; confirmed=%" PRIu64 " deliveries=%" PRIu64 " acked=%" PRIu64
                 " unknown=%" PRIu64 " stale=%" PRIu64 " dead=%" PRIu64 " redelivered=%" PRIu64
                 " lost=%" PRIu64 " restarts=%" PRIu64 " passed=%" PRIu64 " late=%" PRIu64 "\n",
                 v.problems, v.confirmed, v.deliveries, v.acked, v.unknown, v.stale, v.dead, v.redelivered,
                 v.lost, v.restarts, v.passed, v.late);
    history_done(&h);
    return good ? 0 : 1;
}
