/* options: shuntd's command line. */
#ifndef SHUNT_BROKER_OPTIONS_H
#define SHUNT_BROKER_OPTIONS_H

#include "broker/config.h"
#include <stdio.h>

#define OPTIONS_BACKUP_RATE_MIN (64 << 10)

enum options_action {
    ACTION_RUN,
    ACTION_CHECK,
    ACTION_BACKUP,
    ACTION_EXPORT,
    ACTION_CHECK_CONFIG,
    ACTION_INIT_ADMIN,
    ACTION_VERSION,
    ACTION_HELP
};

/* Points into argv. */
struct options {
    enum options_action action;
    const char *config_path;             /* NULL: no file */
    const char *check_dir;               /* with ACTION_CHECK */
    const char *backup_dir;              /* with ACTION_BACKUP */
    const char *export_to;               /* with ACTION_EXPORT: a file, or `-` */
    bool insecure;                       /* nobody has to log in, from other machines either */
    const char *init_admin;              /* with ACTION_INIT_ADMIN: the user's name */
    const char *password_file;           /* with ACTION_INIT_ADMIN: a file, or `-`; NULL: a token is made */
    uint64_t backup_rate;                /* with ACTION_BACKUP: bytes a second; 0: as fast as it goes */
    const char *overrides[CONFIG_COUNT]; /* settings given on the command line; NULL: not given */
};

/* fails: BAD_ARGUMENT, with a sentence in `ret_why`. */
int options_parse(int argc, char **argv, struct options *ret, char *ret_why, size_t why_bytes);

/* The settings in force: defaults, the file, the command line.
 * owns:  `ret` is the caller's, to be given to config_done().
 * fails: as config_load(). */
int options_config(const struct options *o, struct config *ret, char *ret_why, size_t why_bytes);

void options_help(FILE *to);

#endif
