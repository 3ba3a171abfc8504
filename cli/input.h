/* input: the bodies to publish, from files and streams. */
#ifndef SHUNT_CLI_INPUT_H
#define SHUNT_CLI_INPUT_H

#include <stdbool.h>
#include <stddef.h>

/* No body is longer, whatever a broker allows (PROTOCOL.md section 10): what a file or a line may take of our
 * memory. */
#define INPUT_BODY_BYTES_MAX (16u * 1024 * 1024)

/* Bytes read from a file; the caller frees `bytes`. */
struct input {
    char *bytes;
    size_t count;
};

/* Read all of `path` ("-": standard input). fails: errno; EFBIG when it is longer than a body can be. */
int input_read(const char *path, struct input *ret);

/* Called before each read that may have to wait for bytes; false ends the reading. */
typedef bool input_wait(void *context, int fd);

/* Called for each line, without its newline; false ends the reading. The line lives for the call alone. */
typedef bool input_line(void *context, const char *line, size_t bytes);

/* Read `path` ("-": standard input) line by line; a last one without a newline counts. A line that is longer
 * than `most` bytes ends the reading with EFBIG. `wait` may be NULL. fails: errno. */
int input_lines(const char *path, size_t most, input_wait *wait, input_line *function, void *context);

#endif
