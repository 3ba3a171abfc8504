/* magic: what comes back as `void *` is what was given, or the process ends. */
#include "base/magic.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>

#define THING_MAGIC 0x51ce7a11u
#define OTHER_MAGIC 0x0ddba115u

struct thing {
    uint32_t magic;
    int number;
};

Test(magic, knows_its_own_object)
{
    struct thing t = {THING_MAGIC, 7};
    void *through = &t;
    cr_expect_eq(magic_of(through, thing, THING_MAGIC)->number, 7);
}

Test(magic, another_object_ends_the_process, .signal = SIGABRT)
{
    struct thing t = {OTHER_MAGIC, 7};
    (void)magic_of(&t, thing, THING_MAGIC);
}

Test(magic, an_object_that_has_ended_ends_the_process, .signal = SIGABRT)
{
    struct thing t = {THING_MAGIC, 7};
    t.magic = 0;
    (void)magic_of(&t, thing, THING_MAGIC);
}

Test(magic, none_ends_the_process, .signal = SIGABRT)
{
    (void)magic_of(NULL, thing, THING_MAGIC);
}
