/* fingerprint_frame_c: frames of C and C++, as libshunt, gdb, valgrind, the sanitizers and backtrace() print them. */
#ifndef SHUNT_CORE_FINGERPRINT_FRAME_C_H
#define SHUNT_CORE_FINGERPRINT_FRAME_C_H

#include "broker/core/fingerprint_code.h"

/* `NAME at FILE:12`, `NAME at MODULE+0x1234` (libshunt), `NAME (FILE:12)`, `MODULE(NAME+0x12) [0x5555]` */
bool frame_read_c(struct slice line, struct frame *ret);
/* What follows the number in gdb's `#2  0x5555 in NAME (s=0x0) at FILE:12` and the sanitizers'
 * `#2 0x5555 in NAME FILE:12:3`. */
bool frame_read_c_numbered(struct slice line, struct frame *ret);
/* What follows `at 0x` and `by 0x` of valgrind. */
bool frame_read_valgrind(struct slice line, struct frame *ret);

#endif
