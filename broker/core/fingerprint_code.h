/* fingerprint_code: a frame of a stack, and whose code it is. What no table knows is the handler's own. */
#ifndef SHUNT_CORE_FINGERPRINT_CODE_H
#define SHUNT_CORE_FINGERPRINT_CODE_H

#include "base/slice.h"

/* How runtimes print frames. C: as libshunt, gdb, valgrind, the sanitizers and backtrace() do. JAVA: .NET's, too. */
enum frame_shape {
    SHAPE_NONE,
    SHAPE_PYTHON,
    SHAPE_RUBY,
    SHAPE_NODE,
    SHAPE_PHP,
    SHAPE_RUST,
    SHAPE_GO,
    SHAPE_JAVA,
    SHAPE_C,
    FRAME_SHAPES
};

/* RUNTIME: the language, its standard library, code that it generates: never counts. LIBRARY: what others wrote: counts
 * where the handler has no frame of its own. */
enum frame_owner { OWNER_OWN, OWNER_LIBRARY, OWNER_RUNTIME };

struct frame {
    enum frame_shape shape;
    enum frame_owner owner;
    struct slice function; /* may be empty */
    struct slice file;     /* its base name; may be empty */
    struct slice pathname; /* all of it */
    bool exact;            /* the function is not known: it is the place in the file, which counts as it is */
    bool first;            /* it is numbered, with 0 */
    struct slice rest;     /* Ruby: what follows the frame on its line */
};

/* Fill it in from the name of the function and the path of the file. False if both are empty. */
bool frame_is(struct frame *ret, enum frame_shape shape, struct slice function, struct slice pathname);

enum frame_owner code_owner(enum frame_shape shape, struct slice function, struct slice pathname);
struct slice code_base_name(struct slice pathname);

#endif
