/* fingerprint_word: letters and digits of a message: a word, or a value. */
#ifndef SHUNT_CORE_FINGERPRINT_WORD_H
#define SHUNT_CORE_FINGERPRINT_WORD_H

#include "broker/core/fingerprint_mark.h"

/* NAMES: quoted words are names in the program, not values, and stay (`has no attribute 'charge'`).
 * SHORT_NUMBERS: so do numbers of up to three digits: `exit 65`. */
enum text_keeps { TEXT_KEEPS_NAMES = 1, TEXT_KEEPS_SHORT_NUMBERS = 2 };

/* Of a code; how far behind its word it begins, in bytes: `status: 503`. */
#define CODE_DIGITS_MAX   3
#define CODE_DISTANCE_MAX 3

/* All that `s` comes to before `end`. */
void words_take(struct scan *s, const char *end);
/* Letters alone, up to `end`, that are no hexadecimal number. */
void word_take_letters(struct scan *s, const char *end);

#endif
