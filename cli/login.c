/* login: see login.h. */
#include "cli/login.h"

#include <stdlib.h>
#include <string.h>

#include "client/shunt.h"

void login_by_environment(const char *url, struct shunt_options *options)
{
    static const struct {
        const char *variable, *option, *in_url;
    } rows[] = {{"SHUNT_USER", "user", "user="},
                {"SHUNT_PASSWORD_FILE", "password-file", "password-file="},
                {"SHUNT_TOKEN_FILE", "token-file", "token-file="}};
    const char *query = strchr(url, '?');
    for (size_t i = 0; query && i < sizeof rows / sizeof *rows; i++) {
        if (strstr(query, rows[i].in_url))
            return;
    }
    for (size_t i = 0; options && i < sizeof rows / sizeof *rows; i++) {
        const char *value = getenv(rows[i].variable);
        if (value && *value) /* without memory the broker refuses us */
            (void)shunt_options_set(options, rows[i].option, value);
    }
}
