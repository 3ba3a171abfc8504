/* work_identity: see work_identity.h. */
#include "cli/work_identity.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"

#define NAME_BYTES_MAX 100
#define READ_BYTES     65536

/* Programs that run another file; also with a version behind (python3.11). */
static const char *const launchers[] = {
    "python", "node", "deno", "bun", "ruby", "perl", "php",     "lua",   "Rscript", "java", "sh",
    "bash",   "dash", "zsh",  "ksh", "env",  "nice", "timeout", "nohup", "setsid",  "time", "stdbuf"};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static bool is_launcher(const char *path)
{
    const char *name = base_name(path);
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        size_t length = strlen(launchers[i]);
        if (strncmp(name, launchers[i], length) == 0 &&
            name[length + strspn(name + length, "0123456789.")] == '\0')
            return true;
    }
    return false;
}

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

static const char *find_file(const char *path, char *const *arguments)
{
    if (!is_launcher(path))
        return path;
    for (size_t i = 1; arguments[0] && arguments[i]; i++) {
        const char *word = arguments[i];
        /* Code in the command line, a module by its name: no file. */
        if (strcmp(word, "-c") == 0 || strcmp(word, "-e") == 0 || strcmp(word, "-m") == 0)
            return path;
        if (word[0] != '-' && is_file(word))
            return word;
    }
    return path;
}

/* FNV-1a, 64 bits: it tells builds apart, it need not withstand anybody. */
static uint64_t add_bytes(uint64_t hash, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3ull;
    return hash;
}

static void hash_file(char to[IDENTITY_BYTES], const char *path)
{
    unsigned char buffer[READ_BYTES];
    struct stat info;
    size_t total = 0;
    ssize_t got = 0;
    uint64_t hash = 0xcbf29ce484222325ull;
    to[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    while (total < IDENTITY_FILE_BYTES && (got = read(fd, buffer, sizeof buffer)) > 0) {
        hash = add_bytes(hash, buffer, (size_t)got);
        total += (size_t)got;
    }
    if (got >= 0 && fstat(fd, &info) == 0) {
        uint64_t size = (uint64_t)info.st_size;
        (void)snprintf(to, IDENTITY_BYTES, "%016" PRIx64,
                       add_bytes(hash, (const unsigned char *)&size, sizeof size));
    }
    (void)close(fd);
}

void work_identity_of(struct work_identity *to, const char *path, char *const *arguments)
{
    const char *file = find_file(path, arguments);
    const char *name = base_name(file);
    int shown = (int)utf8_prefix(name, strlen(name), NAME_BYTES_MAX);
    (void)snprintf(to->client, sizeof to->client, "%.*s-%ld", shown, name, (long)getpid());
    utf8_flatten(to->client, strlen(to->client)); /* the broker takes nothing but text */
    hash_file(to->build, file);
}
