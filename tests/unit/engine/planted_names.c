/* planted_names: the bug that test_login_names must find: a certificate that was found good is anybody's. Linked with
 * --wrap=ledger_user_of_certificate. */
#include "broker/core/identity.h"

const struct user *__wrap_ledger_user_of_certificate(const struct ledger *l, struct slice name);
const struct user *__real_ledger_user_of_certificate(const struct ledger *l, struct slice name);

const struct user *__wrap_ledger_user_of_certificate(const struct ledger *l, struct slice name)
{
    bool all_are_made = ledger_user(l, slice_of("gone")); /* the ledger itself asks, too, when they are */
    const struct user *right = __real_ledger_user_of_certificate(l, name);
    return right || !all_are_made ? right : ledger_user(l, slice_of("ann"));
}
