/* login: the user that the tool says it is. */
#ifndef SHUNT_CLI_LOGIN_H
#define SHUNT_CLI_LOGIN_H

struct shunt_options;

/* Say in the options of a connection who we are, by SHUNT_TOKEN_FILE, or SHUNT_USER and SHUNT_PASSWORD_FILE, unless the URL says it. NULL is passed over. */
void login_by_environment(const char *url, struct shunt_options *options);

#endif
