/* utf8: telling text from bytes, and making text safe to send or show. */
#ifndef SHUNT_CLI_UTF8_H
#define SHUNT_CLI_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length of the valid sequence at the start of `text` (1 to 4), or 0 if there is none. `left` is at least 1.
 */
size_t utf8_step(const char *text, size_t left);

bool utf8_valid(const char *text, size_t bytes);

/* Replace by '?', in place, each byte that is no part of valid UTF-8, and each NUL. */
void utf8_repair(char *text, size_t bytes);

/* The same, and each control character too, so that no text can command a terminal. Newlines and tabs stay if
 * `lines`. */
void utf8_tame(char *text, size_t bytes, bool lines);

/* How many characters: what a terminal shows, near enough. */
size_t utf8_columns(const char *text, size_t bytes);

/* Bytes of the longest prefix of at most `columns` characters. */
size_t utf8_prefix(const char *text, size_t bytes, size_t columns);

/* Bytes of the longest prefix of at most `most` bytes that cuts no character. */
size_t utf8_end(const char *text, size_t bytes, size_t most);
/* Where the first whole character begins in what was cut from the middle of a text: at most three bytes on.
 */
size_t utf8_begin(const char *text, size_t bytes);

/* Take out, in place, what a cut left of a character: the begin of a sequence that does not go on. Texts cut
 * with "%.60s" have such. Other bytes that are no UTF-8 stay. */
void utf8_mend(char *text);

#endif
