/* fingerprint_text: a message without the values in it.
 *
 * What is the same each time a fault happens stays: words. What differs is replaced by a mark: numbers with
 * their units, ids, hex, UUIDs, quoted strings, times and dates, paths, addresses of machines, of people and in
 * memory, tokens. docs/causes.md has the table, row by row with an example, and a test reads it.
 */
#ifndef SHUNT_CORE_FINGERPRINT_TEXT_H
#define SHUNT_CORE_FINGERPRINT_TEXT_H

#include "broker/core/fingerprint_word.h"

/* The first line of `from` (with the next, if it ends in a colon) without its values. `cut`: it went on. As for
 * all that is read here, utf8_clean() has gone over it. */
void text_put_normal(struct text *t, struct slice from, unsigned keeps, bool cut);
/* A name in a program: `lambda$main$0` without its numbers. */
void text_put_name(struct text *t, struct slice name);

/* Is this no text at all, but bytes that somebody printed? */
bool text_is_noise(struct slice s);

#endif
