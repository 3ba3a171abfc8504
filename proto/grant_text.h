/* grant_text: a grant as people write and read it: `PATTERN:RIGHT,RIGHT`, as in `orders.*:publish,look`; `all` is every right. */
#ifndef SHUNT_PROTO_GRANT_TEXT_H
#define SHUNT_PROTO_GRANT_TEXT_H

#include "base/slice.h"
#include "proto/limits.h"
#include "proto/words.h"

#include <stdbool.h>
#include <stdint.h>

#define GRANT_TEXT_BYTES_MAX (NAME_BYTES_MAX + 1 + RIGHTS * 12)

/* False if there is no `:`, or no right, or a word behind it is none. Whether it is a pattern that stands before is not looked at. */
bool grant_text_read(struct slice text, struct slice *ret_pattern, uint32_t *ret_rights);
/* Terminated; returns its length. */
size_t grant_text_write(char to[GRANT_TEXT_BYTES_MAX + 1], struct slice pattern, uint32_t rights);

#endif
