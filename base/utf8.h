/* utf8: telling text from bytes, cutting it between characters, and making it safe to send or show. */
#ifndef SHUNT_BASE_UTF8_H
#define SHUNT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the valid sequence at the start of `text` (1 to 4), or 0 if there is none (RFC 3629: no
 * surrogates, nothing overlong, at most U+10FFFF). `left` is at least 1. */
size_t utf8_step(const void *text, size_t left);
bool utf8_valid(const void *text, size_t size);

/* The longest prefix of at most `max` bytes that cuts no character. */
size_t utf8_prefix(const void *text, size_t size, size_t max);
/* The same for a suffix: the offset where it begins. */
size_t utf8_suffix(const void *text, size_t size, size_t max);
/* Where the first whole character begins in what was cut out of a text: at most three bytes on. */
size_t utf8_begin(const void *text, size_t size);

/* Take out, in place, what a cut left of a character: the begin of a sequence that does not go on, anywhere
 * in `text`, which is terminated. What "%.100s" cut has such. Other bytes that are not UTF-8 stay. */
void utf8_mend(char *text);

/* Copy `size` bytes, replacing by '?' each byte that is no part of valid UTF-8, and each control character
 * but tab and newline, so that no text can command a terminal. `to` holds `size` bytes; it may be `text`. */
void utf8_clean(char *to, const void *text, size_t size);
/* Replace by '?', in place, what turns the direction of writing, by which a part of a line could pass for another. */
void utf8_straighten(char *text, size_t size);
/* Both in place and on one line: control characters become blanks, and the one that begins commands a '?'. */
void utf8_flatten(char *text, size_t size);

#endif
