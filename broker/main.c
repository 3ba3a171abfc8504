/* main: shuntd. What each option does, and the exit status. */
#include "broker/backup.h"
#include "broker/exit_code.h"
#include "broker/export.h"
#include "broker/init_admin.h"
#include "broker/options.h"
#include "broker/server.h"
#include "broker/store/store_version.h"
#include "proto/errors.h"
#include <stdio.h>

static int run(const struct options *options);
static int print(void (*what)(FILE *to));
static void print_version(FILE *to);

int main(int argc, char **argv)
{
    char why[CONFIG_WHY_BYTES] = "";
    struct options options;
    if (options_parse(argc, argv, &options, why, sizeof why) != 0) {
        (void)fprintf(stderr, "shuntd: %s\nTry `shuntd --help`.\n", why);
        return EXIT_CODE_USAGE;
    }
    if (options.action == ACTION_HELP)
        return print(options_help);
    if (options.action == ACTION_VERSION)
        return print(print_version);
    return run(&options);
}

static int run(const struct options *options)
{
    char why[CONFIG_WHY_BYTES] = "";
    struct config config;
    int err = options_config(options, &config, why, sizeof why);
    if (err) {
        (void)fprintf(stderr, "shuntd: %s\n", why);
        return err == SHUNT_NO_MEMORY ? EXIT_CODE_SYSTEM : EXIT_CODE_CONFIG;
    }
    int exit_code = EXIT_CODE_OK;
    if (options->action == ACTION_RUN) {
        exit_code = server_run(options, &config);
    } else if (options->action == ACTION_CHECK) {
        exit_code = server_check(options, &config);
    } else if (options->action == ACTION_BACKUP) {
        struct backup_options backup = {&config, options->backup_dir, options->backup_rate};
        exit_code = backup_run(&backup);
    } else if (options->action == ACTION_INIT_ADMIN) {
        exit_code = init_admin_run(&config, options->init_admin, options->password_file);
    } else if (options->action == ACTION_EXPORT) {
        exit_code = export_run(&config, options->export_to);
    }
    config_done(&config);
    return exit_code;
}

static int print(void (*what)(FILE *to))
{
    what(stdout);
    return fflush(stdout) == 0 ? EXIT_CODE_OK : EXIT_CODE_IO;
}

static void print_version(FILE *to)
{
    /* print()'s fflush() sees a failure */
    (void)fprintf(to, "shuntd %s (store layout %u)\n", SHUNT_VERSION, STORE_LAYOUT_VERSION);
}
