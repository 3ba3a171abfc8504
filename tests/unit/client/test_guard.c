/* A handler in C++ that throws: no exception passes, and what it said is kept. */
#include "client/worker/guard.h"

#include "client/worker/cxx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int throwing_handler(void *context, const void *d, void *v);
int throwing_depth(void);

static struct shunt_verdict verdict;

#define expect(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            (void)fprintf(stderr, "%s:%d: %s\ntype %s\nmessage %s\n", __FILE__, __LINE__, #condition,        \
                          verdict.type, verdict.message);                                                    \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

static enum shunt_outcome handler(void *context, const struct shunt_delivery *d, struct shunt_verdict *v)
{
    return (enum shunt_outcome)throwing_handler(context, d, v);
}

static int call(const char *what)
{
    char context[2] = {what[0], '\0'};

    verdict_clear(&verdict);
    return guard_call(handler, context, NULL, &verdict);
}

static enum shunt_outcome calls_another(void *context, const struct shunt_delivery *d,
                                        struct shunt_verdict *v)
{
    (void)d;
    (void)v;
    expect(call("s") == SHUNT_REJECT); /* the inner guard catches, the outer one goes on */
    return *(int *)context == 1 ? SHUNT_RELEASE : handler(&(char[]){"q"}, d, v);
}

int main(void)
{
    int once = 1, twice = 2;
    char name[CXX_NAME_BYTES_MAX];

    for (int i = 0; i < 1000; i++) { /* nothing is left of one that the next could stumble over */
        expect(call("s") == SHUNT_REJECT);
        expect(strcmp(verdict.type, "shop::out_of_stock") == 0 &&
               strcmp(verdict.message, "no more pears") == 0);
        expect(throwing_depth() == 0);
        expect(call("n") == SHUNT_ACK && !verdict.has_type);
    }
    expect(call("q") == SHUNT_REJECT);
    expect(strcmp(verdict.type, "shop::silent") == 0 && verdict.has_message);
    expect(call("i") == SHUNT_REJECT && strcmp(verdict.type, "int") == 0);
    expect(guard_call(calls_another, &once, NULL, &verdict) == SHUNT_RELEASE);
    expect(guard_call(calls_another, &twice, NULL, &verdict) == SHUNT_REJECT);
    expect(strcmp(verdict.type, "shop::silent") == 0);
    expect(strcmp(cxx_demangle(name, sizeof name, "_ZN4shop4sellEi"), "shop::sell(int)") == 0);
    expect(strcmp(cxx_demangle(name, 5, "_ZN4shop4sellEi"), "shop") == 0);
    expect(strcmp(cxx_demangle(name, sizeof name, "main"), "main") == 0);
    return 0;
}
