/* fuzz_options: any words, one a line, as a command line of the tool, as a setting, a url, a connection's
 * option. */
#include "cli/options.h"
#include "client/driving/settings_read.h"
#include "client/driving/url.h"
#include "client/wire/policy_args.h"
#include "proto/errors.h"
#include "proto/request.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

enum { WORDS_COUNT_MAX = 32 };

static const struct option_row rows[] = {
    {"file", 0, "F", OPTION_TEXT, WORDS_MANY, 0, 0, "many"},
    {"lines", 0, "FILE", OPTION_TEXT, WORDS_ONE, 0, 0, "one"},
    {"header", 'H', "K=V", OPTION_TEXT, WORDS_NONE, 0, 0, "text"},
    {"delay", 0, "D", OPTION_DURATION, WORDS_NONE, 0, 1000000, "duration"},
    {"timeout", 't', "D", OPTION_DURATION, WORDS_NONE, 1, 0, "duration"},
    {"count", 'n', "N", OPTION_COUNT, WORDS_NONE, 1, 100, "count"},
    {"jobs", 'j', "N", OPTION_COUNT, WORDS_NONE, 0, 0, "count"},
    {"yes", 'y', NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "flag"},
};

static void try_command_line(char **argv, int argc, bool leading)
{
    struct options o;
    int used = 0;
    options_init(&o);
    options_accept(&o, rows, sizeof rows / sizeof *rows);
    if (!options_parse(&o, argc, argv, leading, &used)) {
        MUST(o.why[0] && strlen(o.why) < sizeof o.why);
        options_done(&o);
        return;
    }
    MUST(used >= 1 && used <= argc);
    MUST(o.words_count + o.rest_count <= (size_t)argc);
    int64_t count = options_number(&o, "count", 1), delay_ms = options_number(&o, "delay", 0);
    MUST(count >= 1 && count <= 100 && delay_ms >= 0 && delay_ms <= 1000000);
    MUST(options_number(&o, "timeout", 1) >= 1 && options_number(&o, "jobs", 0) >= 0);
    options_done(&o);
}

/* What the client writes, the broker reads as it was meant. */
static bool is_taken(const union request_fields *q)
{
    const struct policy_change *meant = &q->topic_update.policy, *got;
    struct mpack_buffer bytes = {0};
    struct request_source from;
    union request_fields read;
    (void)request_topic_update.write(&bytes, q);
    mpack_read_init(&from.r, bytes.data, bytes.size);
    request_source_init(&from);
    request_read_topic_update(&from, &read);
    bool taken = request_verdict(&from) == 0;
    got = &read.topic_update.policy;
    taken &= got->set.given == meant->set.given && got->reset == meant->reset;
    for (unsigned i = 0; i < POLICY_COUNT; i++)
        taken &= !(meant->set.given >> i & 1) || got->set.value[i] == meant->set.value[i];
    mpack_buffer_done(&bytes);
    return taken;
}

/* The words as names and values in turn. */
static void try_settings(char **words, int count)
{
    struct shunt_options *options = shunt_options_new();
    MUST(options);
    for (int i = 0; i + 1 < count; i += 2)
        MUST(shunt_options_set(options, words[i], words[i + 1]) == 0);
    for (unsigned of_group = 0; of_group < 2; of_group++) {
        union request_fields q = {.topic_update = {.topic = slice_of("t")}};
        struct shunt_error err = {0};
        int code = policy_args_read(options, of_group, &q.topic_update.policy, &err);
        MUST(code == 0 || (code == SHUNT_BAD_ARGUMENT && err.code == code && err.text[0]));
        MUST(code || is_taken(&q));
    }
    struct settings settings;
    struct shunt_error err = {0};
    int code = settings_read(options, &settings, &err);
    MUST(code == 0 || (code == SHUNT_BAD_ARGUMENT && err.text[0]));
    MUST(code || (settings.reconnect_min_ms <= settings.reconnect_max_ms && settings.window >= 1));
    shunt_options_free(options);
}

static void try_url(const char *text)
{
    struct url_list url;
    struct shunt_error err = {0};
    int code = url_parse(text, &url, &err);
    MUST(code == 0 || (code == SHUNT_BAD_ARGUMENT && err.text[0]));
    for (size_t i = 0; code == 0 && i < url.count; i++)
        MUST(url.hosts[i].host[0] && strlen(url.hosts[i].host) <= URL_HOST_BYTES_MAX);
    MUST(code || (url.count >= 1 && url.count <= URL_HOSTS_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *words[WORDS_COUNT_MAX + 2] = {(char[]){"shunt"}}, *permuted[WORDS_COUNT_MAX + 2], *rest = NULL;
    int count = 1;
    char *text = malloc(size + 1);
    MUST(text);
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *word = strtok_r(text, "\n", &rest); word && count <= WORDS_COUNT_MAX;
         word = strtok_r(NULL, "\n", &rest))
        words[count++] = word;
    for (unsigned leading = 0; leading < 2; leading++) {
        memcpy(permuted, words, sizeof words); /* getopt may change the order */
        try_command_line(permuted, count, leading);
    }
    try_settings(words + 1, count - 1);
    for (int i = 1; i < count; i++)
        try_url(words[i]);
    free(text);
    return 0;
}
