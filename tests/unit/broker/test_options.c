/* test_options: the command line. */
#include "broker/options.h"
#include "proto/errors.h"
#include <criterion/criterion.h>
#include <string.h>

#define PARSE(...) parse((const char *[]){"shuntd", __VA_ARGS__, NULL}, &o, why)

static int parse(const char **argv, struct options *o, char why[CONFIG_WHY_BYTES])
{
    static char texts[8][64]; /* getopt moves them about, and the options point to them */
    char *copy[8];
    int argc = 0;
    for (; argv[argc]; argc++) {
        cr_assert(argc < 7 && strlen(argv[argc]) < sizeof texts[0]);
        copy[argc] = strcpy(texts[argc], argv[argc]);
    }
    copy[argc] = NULL;
    return options_parse(argc, copy, o, why, CONFIG_WHY_BYTES);
}

Test(options, the_command_line_overrides_the_settings)
{
    struct options o;
    struct config c;
    char why[CONFIG_WHY_BYTES] = "";
    cr_assert_eq(PARSE("--data", "dir", "--listen=127.0.0.1:0", "--http", "off"), 0, "%s", why);
    cr_expect_eq(o.action, ACTION_RUN);
    cr_assert_eq(options_config(&o, &c, why, sizeof why), 0, "%s", why);
    cr_expect_str_eq(c.text[CONFIG_data], "dir");
    cr_expect_str_eq(c.text[CONFIG_listen], "127.0.0.1:0");
    cr_expect(config_http_is_off(&c));
    config_done(&c);
}

Test(options, each_action_is_recognised)
{
    struct options o;
    char why[CONFIG_WHY_BYTES] = "";
    cr_expect(PARSE("--version") == 0 && o.action == ACTION_VERSION);
    cr_expect(PARSE("--help") == 0 && o.action == ACTION_HELP);
    cr_expect(PARSE("--check", "dir") == 0 && o.action == ACTION_CHECK && strcmp(o.check_dir, "dir") == 0);
    cr_expect(PARSE("--backup", "dir", "--backup-rate", "1MiB") == 0 && o.action == ACTION_BACKUP &&
              strcmp(o.backup_dir, "dir") == 0 && o.backup_rate == 1 << 20);
    cr_expect(PARSE("--check-config", "f") == 0 && o.action == ACTION_CHECK_CONFIG &&
              strcmp(o.config_path, "f") == 0);
}

Test(options, mistakes_are_named)
{
    struct options o;
    char why[CONFIG_WHY_BYTES] = "";
    cr_expect_eq(PARSE("--lissten", "x"), SHUNT_BAD_ARGUMENT);
    cr_expect(strstr(why, "--lissten"), "%s", why);
    cr_expect_eq(PARSE("--data"), SHUNT_BAD_ARGUMENT);
    cr_expect(strstr(why, "--data"), "%s", why);
    cr_expect_eq(PARSE("-x"), SHUNT_BAD_ARGUMENT);
    cr_expect_eq(PARSE("extra"), SHUNT_BAD_ARGUMENT);
    cr_expect(strstr(why, "extra"), "%s", why);
    cr_expect_eq(PARSE("--version", "--help"), SHUNT_BAD_ARGUMENT);
    struct config c;
    cr_assert_eq(PARSE("--listen", ":80"), 0);
    cr_expect_eq(options_config(&o, &c, why, sizeof why), SHUNT_BAD_ARGUMENT);
    cr_expect(strstr(why, "listen"), "%s", why);
}
