/* password: a new password, from the terminal or a file, and what the broker keeps of it: it never leaves the tool. */
#ifndef SHUNT_CLI_PASSWORD_H
#define SHUNT_CLI_PASSWORD_H

struct call;

#define PASSWORD_VERIFIER_ROOM 257

/* The option of commands that set one. */
#define PASSWORD_FILE_OPTION                                                                                 \
    {                                                                                                        \
        "password-file", 0, "FILE", OPTION_TEXT, WORDS_NONE, 0, 0,                                           \
            "read the password from the first line of FILE (`-`: standard input)"                            \
    }

/* Read a password: from --password-file or, without it, twice from the terminal, which does not show it. `to`, of
 * PASSWORD_VERIFIER_ROOM bytes, gets the PHC string of Argon2id. Returns EXIT_OK, or the exit code after telling why not. */
int password_verifier(struct call *call, char *to);

#endif
