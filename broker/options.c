/* options: parsing the command line, and the settings that come out of it. */
#include "broker/options.h"

#include "proto/errors.h"
#include "proto/units.h"
#include <getopt.h>
#include <string.h>

enum option_id {
    OPTION_CONFIG = 256,
    OPTION_CHECK,
    OPTION_CHECK_CONFIG,
    OPTION_BACKUP,
    OPTION_BACKUP_RATE,
    OPTION_EXPORT,
    OPTION_INIT_ADMIN,
    OPTION_PASSWORD_FILE,
    OPTION_INSECURE,
    OPTION_VERSION,
    OPTION_HELP,
    OPTION_OVERRIDES
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"data", required_argument, NULL, OPTION_OVERRIDES + CONFIG_data},
    {"listen", required_argument, NULL, OPTION_OVERRIDES + CONFIG_listen},
    {"listen-unix", required_argument, NULL, OPTION_OVERRIDES + CONFIG_listen_unix},
    {"http", required_argument, NULL, OPTION_OVERRIDES + CONFIG_http},
    {"check", required_argument, NULL, OPTION_CHECK},
    {"check-config", required_argument, NULL, OPTION_CHECK_CONFIG},
    {"backup", required_argument, NULL, OPTION_BACKUP},
    {"backup-rate", required_argument, NULL, OPTION_BACKUP_RATE},
    {"export", required_argument, NULL, OPTION_EXPORT},
    {"init-admin", required_argument, NULL, OPTION_INIT_ADMIN},
    {"password-file", required_argument, NULL, OPTION_PASSWORD_FILE},
    {"insecure", no_argument, NULL, OPTION_INSECURE},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "Usage: shuntd [--config FILE] [--data DIR] [--listen ADDR:PORT] [--http ADDR:PORT|off]\n"
    "              [--listen-unix PATH|off] [--insecure]\n"
    "       shuntd [--config FILE] [--data DIR] --init-admin NAME [--password-file FILE|-]\n"
    "       shuntd [--config FILE] [--data DIR] --backup DIR [--backup-rate SIZE]\n"
    "       shuntd [--config FILE] [--data DIR] --export FILE|-\n"
    "       shuntd --check DIR | --check-config FILE | --version | --help\n"
    "\n"
    "The shunt message broker.\n"
    "\n"
    "  --config FILE         read settings from FILE\n"
    "  --data DIR            setting `data`\n"
    "  --listen ADDR:PORT    setting `listen`\n"
    "  --listen-unix PATH|off setting `listen-unix`\n"
    "  --http ADDR:PORT|off  setting `http`\n"
    "  --insecure            let everybody in who can reach the server, from other machines too, without a "
    "login\n"
    "  --init-admin NAME     make the first administrator in the store of a stopped server, and print a "
    "token for it,\n"
    "                        once\n"
    "  --password-file FILE|- give it a password, the first line of FILE or of standard input, in place of "
    "the token\n"
    "  --check DIR           verify the store of a stopped server; exit 0 if it is in order, 1 if not\n"
    "  --backup DIR          copy the store, that of a running server too, into a new directory DIR, and\n"
    "                        verify the copy; run it as the server's user, with its --config or --data\n"
    "  --backup-rate SIZE    at most SIZE bytes a second (least: 64KiB; default: no limit)\n"
    "  --export FILE|-       write the messages of a stopped server's store, however damaged, as JSON lines "
    "to\n"
    "                        a new file or standard output; exit 0 if all could be read, 1 if not\n"
    "  --check-config FILE   verify a configuration file; exit 0 if it is right, 78 if not\n"
    "  --version             print the version, and that of the store's layout\n"
    "  --help                print this\n"
    "\n"
    "Settings, their defaults, and whether a change takes effect with SIGHUP (reload) or with a restart:\n"
    "\n";

static int set_action(struct options *o, enum options_action action, char *ret_why, size_t why_bytes);
static int set_rate(struct options *o, char *ret_why, size_t why_bytes);

int options_parse(int argc, char **argv, struct options *ret, char *ret_why, size_t why_bytes)
{
    struct options o = {.action = ACTION_RUN};
    int err = 0;
    optind = 0; /* begin again, also for a second call */
    opterr = 0;
    while (!err) {
        int at = optind > 0 ? optind : 1;
        int id = getopt_long(argc, argv, ":", long_options, NULL);
        if (id == -1)
            break;
        if (id == '?' || id == ':') {
            (void)snprintf(ret_why, why_bytes, "%s: %.200s", id == ':' ? "needs a value" : "unknown option",
                           argv[at]);
            return SHUNT_BAD_ARGUMENT;
        }
        if (id >= OPTION_OVERRIDES) {
            o.overrides[id - OPTION_OVERRIDES] = optarg;
        } else if (id == OPTION_CONFIG) {
            o.config_path = optarg;
        } else if (id == OPTION_CHECK) {
            o.check_dir = optarg;
            err = set_action(&o, ACTION_CHECK, ret_why, why_bytes);
        } else if (id == OPTION_BACKUP) {
            o.backup_dir = optarg;
            err = set_action(&o, ACTION_BACKUP, ret_why, why_bytes);
        } else if (id == OPTION_EXPORT) {
            o.export_to = optarg;
            err = set_action(&o, ACTION_EXPORT, ret_why, why_bytes);
        } else if (id == OPTION_INIT_ADMIN) {
            o.init_admin = optarg;
            err = set_action(&o, ACTION_INIT_ADMIN, ret_why, why_bytes);
        } else if (id == OPTION_PASSWORD_FILE) {
            o.password_file = optarg;
        } else if (id == OPTION_INSECURE) {
            o.insecure = true;
        } else if (id == OPTION_BACKUP_RATE) {
            err = set_rate(&o, ret_why, why_bytes);
        } else if (id == OPTION_CHECK_CONFIG) {
            o.config_path = optarg;
            err = set_action(&o, ACTION_CHECK_CONFIG, ret_why, why_bytes);
        } else {
            err = set_action(&o, id == OPTION_VERSION ? ACTION_VERSION : ACTION_HELP, ret_why, why_bytes);
        }
    }
    if (!err && optind < argc) {
        (void)snprintf(ret_why, why_bytes, "unexpected argument: %.200s", argv[optind]);
        err = SHUNT_BAD_ARGUMENT;
    }
    if (!err && o.backup_rate && o.action != ACTION_BACKUP) {
        (void)snprintf(ret_why, why_bytes, "--backup-rate goes with --backup");
        err = SHUNT_BAD_ARGUMENT;
    }
    if (!err && o.password_file && o.action != ACTION_INIT_ADMIN) {
        (void)snprintf(ret_why, why_bytes, "--password-file goes with --init-admin");
        err = SHUNT_BAD_ARGUMENT;
    }
    if (!err)
        *ret = o;
    return err;
}

int options_config(const struct options *o, struct config *ret, char *ret_why, size_t why_bytes)
{
    struct config c;
    int err = config_init(&c);
    if (err) {
        (void)snprintf(ret_why, why_bytes, "%s", err_text(err));
        return err;
    }
    if (o->config_path)
        err = config_load(&c, o->config_path, ret_why, why_bytes);
    for (int i = 0; !err && i < CONFIG_COUNT; i++) {
        if (o->overrides[i])
            err = config_set(&c, (enum config_field)i, o->overrides[i], ret_why, why_bytes);
    }
    if (!err)
        err = config_check(&c, ret_why, why_bytes);
    if (err)
        config_done(&c);
    else
        *ret = c;
    return err;
}

void options_help(FILE *to)
{
    (void)fputs(usage, to); /* nobody to tell if the terminal is gone */
    for (int i = 0; i < CONFIG_COUNT; i++) {
        const struct config_row *row = &config_rows[i];
        (void)fprintf(to, "  %-16s %-16s %-8s %s\n", row->name, row->initial,
                      row->reload ? "reload" : "restart", row->text);
    }
}

static int set_rate(struct options *o, char *ret_why, size_t why_bytes)
{
    int64_t bytes;
    const char *why = "the least is 64KiB";
    if (!units_parse_size(optarg, INT64_MAX, &bytes, &why) || bytes < OPTIONS_BACKUP_RATE_MIN) {
        (void)snprintf(ret_why, why_bytes, "--backup-rate: %.200s: %s", optarg, why);
        return SHUNT_BAD_ARGUMENT;
    }
    o->backup_rate = (uint64_t)bytes;
    return 0;
}

static int set_action(struct options *o, enum options_action action, char *ret_why, size_t why_bytes)
{
    if (o->action != ACTION_RUN && o->action != action) {
        (void)snprintf(ret_why, why_bytes,
                       "--check, --backup, --export, --init-admin, --check-config, --version and --help "
                       "exclude each other");
        return SHUNT_BAD_ARGUMENT;
    }
    o->action = action;
    return 0;
}
