/* fingerprint_frame: one line of a stack, as the known runtimes print it: which function, in which file, and
 * whose code that is. */
#ifndef SHUNT_CORE_FINGERPRINT_FRAME_H
#define SHUNT_CORE_FINGERPRINT_FRAME_H

#include "broker/core/fingerprint_code.h"

/* False if the line, which has no blanks at its ends, is no frame. For those of Rust and Go see below. */
bool frame_read(struct slice line, struct frame *ret);

/* Of Ruby alone: `/srv/pay.rb:12:in `charge'`. */
bool frame_read_ruby(struct slice line, struct frame *ret);
/* `3: app::charge`, after "stack backtrace:". */
bool frame_read_rust(struct slice line, struct frame *ret);
/* `main.charge(0xc000012345)`, below "goroutine 1 [running]:". */
void frame_read_go(struct slice line, struct frame *ret);
/* `./src/main.rs:4:5`, `/srv/pay.go:12 +0x1b4`: the file of the frame above. */
void frame_set_file(struct frame *f, struct slice pathname);

#endif
