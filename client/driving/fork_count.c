/* fork_count: see fork_count.h. */
#include "client/driving/fork_count.h"

#include "client/wire/error.h"

#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int begun;
static unsigned forks; /* written while the process has one thread */

static void in_child(void)
{
    forks++;
}

static void begin(void)
{
    begun = pthread_atfork(NULL, NULL, in_child);
}

int fork_count_begin(struct shunt_error *err)
{
    (void)pthread_once(&once, begin); /* cannot fail with a control that is initialised */
    return begun == 0 ? 0 : error_set(err, SHUNT_NO_MEMORY, NULL);
}

unsigned fork_count(void)
{
    return forks;
}
