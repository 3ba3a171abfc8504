/* complete_bench: the options and workloads of `shunt bench`, which is a program of its own: they are read from its --help. */
#ifndef SHUNT_CLI_COMPLETE_BENCH_H
#define SHUNT_CLI_COMPLETE_BENCH_H

struct command;
struct complete;
struct options;

/* Accept its options; what is accepted lives until complete_bench_done(). Nothing if the program cannot be run. */
void complete_bench_accept(struct options *to, const struct command *command);
/* After complete_bench_accept(). */
void complete_bench_workloads(const struct complete *c);
void complete_bench_done(void);

#endif
