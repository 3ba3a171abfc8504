/* replay: run a fuzz target over the files of a folder. For compilers without libFuzzer, and as a test. */
#include "tests/fuzz/fuzz.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>

enum { INPUT_BYTES_MAX = 1 << 20 };

static int replay_file(const char *path)
{
    static uint8_t input[INPUT_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    size_t size = fread(input, 1, sizeof input, file);
    (void)fclose(file); /* opened for reading: nothing can be lost */
    /* A copy of the exact size, so that AddressSanitizer sees one byte too far. */
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return 1;
    memcpy(copy, input, size);
    (void)LLVMFuzzerTestOneInput(copy, size); /* it aborts if something is wrong */
    free(copy);
    return 0;
}

int main(int argc, char **argv)
{
    int files = 0, failed = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 64;
    }
    DIR *folder = opendir(argv[1]);
    if (!folder) {
        perror(argv[1]);
        return 1;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        int length = snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (length < 0 || (size_t)length >= sizeof path) {
            failed++;
            continue;
        }
        failed += replay_file(path);
        files++;
    }
    (void)closedir(folder); /* opened for reading */
    printf("%d inputs, %d not readable\n", files, failed);
    return files == 0 || failed ? 1 : 0;
}
