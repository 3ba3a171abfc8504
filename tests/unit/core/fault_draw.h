/* fault_draw: values drawn at random, and reports of faults with other ones in their places. */
#ifndef SHUNT_TESTS_CORE_FAULT_DRAW_H
#define SHUNT_TESTS_CORE_FAULT_DRAW_H

#include "broker/core/fault_memo.h"

#define TEXT_BYTES_MAX  2048
#define STACK_BYTES_MAX 32768

#define COUNT_OF(array) (sizeof array / sizeof *array)

/* Less than `below`; the same ones each time. */
size_t draw(size_t below);

bool is_digit(char c);
bool is_hex(char c);

/* Digits; hexadecimal digits, few or many; a UUID. Returns how many bytes. */
size_t put_value(char *to);

/* Other digits in the places of some; in what is hexadecimal now and then letters, too. */
void change_values(char *text, size_t size);

/* The memo says what fingerprint_of() says of `f` and of reports like it, with other values each time: in the message, the stack, or
 * both. */
void ask(struct fault_memo *m, struct fault f, size_t times, const char *name);

/* How many reports it remembers. */
size_t count_places(const struct fault_memo *m);

#endif
