/* fuzz_config: any bytes as a configuration file. It is refused with the place and a reason, or every value
 * is within the bounds of its row. */
#include "broker/config.h"
#include "proto/errors.h"
#include "tests/fuzz/fuzz.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* "FILE:LINE:COLUMN: reason" */
static void place_is_named(const char *why, const char *path)
{
    unsigned line = 0, column = 0;
    size_t length = strlen(path);
    MUST(strncmp(why, path, length) == 0);
    MUST(sscanf(why + length, ":%u:%u: ", &line, &column) == 2 && line >= 1 && column >= 1);
    MUST(strlen(strstr(why + length, ": ")) > 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int file = -1;
    static char path[64];
    char why[CONFIG_WHY_BYTES] = "";
    struct config c;
    if (file < 0) {
        file = memfd_create("config", MFD_CLOEXEC);
        MUST(file >= 0);
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    MUST(ftruncate(file, 0) == 0);
    MUST(pwrite(file, data, size, 0) == (ssize_t)size);
    MUST(config_init(&c) == 0);
    int err = config_load(&c, path, why, sizeof why);
    if (err) {
        MUST(err == SHUNT_BAD_ARGUMENT);
        place_is_named(why, path);
    } else {
        for (unsigned i = 0; i < CONFIG_COUNT; i++) {
            char *text = strdup(c.text[i]);
            int64_t number = c.number[i];
            MUST(text && config_set(&c, (enum config_field)i, text, why, sizeof why) == 0);
            MUST(c.number[i] == number);
            free(text);
        }
        err = config_check(&c, why, sizeof why);
        MUST(err == 0 || (err == SHUNT_BAD_ARGUMENT && why[0]));
    }
    config_done(&c);
    return 0;
}
