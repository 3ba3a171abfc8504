/* fingerprint_code: see fingerprint_code.h. */
#include "broker/core/fingerprint_code.h"

#include "broker/core/fingerprint_line.h"

struct code {
    uint8_t owner, size;
    bool exact; /* a name: it is the whole of it */
    char first;
    const char *text;
};

#define ROW(owner, exact, text)                                                                              \
    {                                                                                                        \
        OWNER_##owner, sizeof text - 1, exact, (text)[0], text                                               \
    }
#define BEGINS(owner, text) ROW(owner, false, text)
#define EXACT(owner, text)  ROW(owner, true, text)

/* For each shape: `parts` of paths, at their beginning or behind a slash; how `names` of functions begin; what `names_hold` somewhere. */

static const struct code python_parts[] = {
    BEGINS(LIBRARY, "site-packages/"), BEGINS(LIBRARY, "dist-packages/"), BEGINS(RUNTIME, "python2."),
    BEGINS(RUNTIME, "python3."),       BEGINS(RUNTIME, "<frozen "),
};

static const struct code ruby_parts[] = {
    BEGINS(LIBRARY, "gems/"),   BEGINS(RUNTIME, "ruby/2."),           BEGINS(RUNTIME, "ruby/3."),
    BEGINS(RUNTIME, "ruby/4."), BEGINS(RUNTIME, "ruby/vendor_ruby/"), BEGINS(RUNTIME, "<internal:"),
};

static const struct code node_parts[] = {
    BEGINS(LIBRARY, "node_modules/"),
    BEGINS(RUNTIME, "node:"),
    BEGINS(RUNTIME, "internal/"),
};

static const struct code php_parts[] = {
    BEGINS(LIBRARY, "vendor/"),
    BEGINS(RUNTIME, "[internal function]"),
};
static const struct code php_names[] = {
    EXACT(RUNTIME, "{main}"),
};

static const struct code rust_parts[] = {
    BEGINS(RUNTIME, "rustc/"),
    BEGINS(LIBRARY, "registry/src/"),
};
static const struct code rust_names[] = {
    BEGINS(RUNTIME, "<alloc::"),    BEGINS(RUNTIME, "<core::"), BEGINS(RUNTIME, "<std::"),
    BEGINS(RUNTIME, "_"),           BEGINS(RUNTIME, "alloc::"), EXACT(RUNTIME, "clone"),
    BEGINS(RUNTIME, "core::"),      EXACT(RUNTIME, "main"),     BEGINS(RUNTIME, "rust_"),
    EXACT(RUNTIME, "start_thread"), BEGINS(RUNTIME, "std::"),
};

static const struct code go_parts[] = {
    BEGINS(LIBRARY, "pkg/mod/"),
    BEGINS(LIBRARY, "vendor/"),
};

static const struct code java_names[] = {
    BEGINS(RUNTIME, "Microsoft."),
    BEGINS(RUNTIME, "System."),
    BEGINS(LIBRARY, "akka."),
    BEGINS(LIBRARY, "cats."),
    BEGINS(RUNTIME, "clojure."),
    BEGINS(LIBRARY, "com.fasterxml."),
    BEGINS(LIBRARY, "com.google.common."),
    BEGINS(LIBRARY, "com.mysql."),
    BEGINS(RUNTIME, "com.sun."),
    BEGINS(LIBRARY, "com.zaxxer."),
    BEGINS(RUNTIME, "groovy."),
    BEGINS(LIBRARY, "io.micronaut."),
    BEGINS(LIBRARY, "io.netty."),
    BEGINS(LIBRARY, "io.quarkus."),
    BEGINS(LIBRARY, "io.vertx."),
    BEGINS(LIBRARY, "jakarta."),
    BEGINS(RUNTIME, "java."),
    BEGINS(RUNTIME, "javax."),
    BEGINS(RUNTIME, "jdk."),
    BEGINS(RUNTIME, "kotlin."),
    BEGINS(RUNTIME, "kotlinx."),
    BEGINS(LIBRARY, "okhttp3."),
    BEGINS(LIBRARY, "oracle."),
    BEGINS(LIBRARY, "org.apache."),
    BEGINS(LIBRARY, "org.codehaus."),
    BEGINS(LIBRARY, "org.eclipse."),
    BEGINS(LIBRARY, "org.hibernate."),
    BEGINS(LIBRARY, "org.jboss."),
    BEGINS(LIBRARY, "org.postgresql."),
    BEGINS(LIBRARY, "org.springframework."),
    BEGINS(LIBRARY, "reactor."),
    BEGINS(LIBRARY, "rx."),
    BEGINS(RUNTIME, "scala."),
    BEGINS(RUNTIME, "sun."),
};
static const struct code java_names_hold[] = {
    BEGINS(RUNTIME, "$$"),
    BEGINS(RUNTIME, "$Proxy"),
    BEGINS(RUNTIME, "GeneratedMethodAccessor"),
    BEGINS(RUNTIME, "GeneratedConstructorAccessor"),
};

static const struct code c_parts[] = {
    BEGINS(RUNTIME, "nptl/"),       BEGINS(RUNTIME, "sysdeps/"),     BEGINS(RUNTIME, "c++/"),
    BEGINS(RUNTIME, "libc.so"),     BEGINS(RUNTIME, "ld-linux"),     BEGINS(RUNTIME, "libpthread.so"),
    BEGINS(RUNTIME, "libgcc_s.so"), BEGINS(RUNTIME, "libstdc++.so"), BEGINS(RUNTIME, "libasan.so"),
    BEGINS(RUNTIME, "libshunt.so"), BEGINS(RUNTIME, "libubsan.so"),  BEGINS(RUNTIME, "linux-vdso"),
};
static const struct code c_names[] = {
    BEGINS(RUNTIME, "<signal handler"),
    BEGINS(RUNTIME, "_IO_"),
    BEGINS(RUNTIME, "__"),
    BEGINS(RUNTIME, "_int_"),
    BEGINS(RUNTIME, "_start"),
    EXACT(RUNTIME, "abort"),
    EXACT(RUNTIME, "calloc"),
    EXACT(RUNTIME, "clone"),
    EXACT(RUNTIME, "clone3"),
    EXACT(RUNTIME, "free"),
    EXACT(RUNTIME, "gsignal"),
    BEGINS(RUNTIME, "malloc"),
    EXACT(RUNTIME, "guard_frame"),
    EXACT(RUNTIME, "memcmp"),
    EXACT(RUNTIME, "memcpy"),
    EXACT(RUNTIME, "memmove"),
    EXACT(RUNTIME, "memset"),
    BEGINS(RUNTIME, "operator delete"),
    BEGINS(RUNTIME, "operator new"),
    EXACT(RUNTIME, "pthread_kill"),
    EXACT(RUNTIME, "raise"),
    EXACT(RUNTIME, "realloc"),
    EXACT(RUNTIME, "start_thread"),
    BEGINS(RUNTIME, "std::"),
    EXACT(RUNTIME, "strcmp"),
    EXACT(RUNTIME, "strcpy"),
    EXACT(RUNTIME, "strdup"),
    EXACT(RUNTIME, "strlen"),
    BEGINS(RUNTIME, "unlink_chunk"),
};

struct rows {
    const struct code *rows;
    size_t count;
};
#define ROWS(table)                                                                                          \
    {                                                                                                        \
        (table), sizeof table / sizeof *(table)                                                              \
    }

static const struct {
    struct rows parts, names, names_hold;
} codes[FRAME_SHAPES] = {
    [SHAPE_PYTHON] = {.parts = ROWS(python_parts)},
    [SHAPE_RUBY] = {.parts = ROWS(ruby_parts)},
    [SHAPE_NODE] = {.parts = ROWS(node_parts)},
    [SHAPE_PHP] = {.parts = ROWS(php_parts), .names = ROWS(php_names)},
    [SHAPE_RUST] = {.parts = ROWS(rust_parts), .names = ROWS(rust_names)},
    [SHAPE_GO] = {.parts = ROWS(go_parts)},
    [SHAPE_JAVA] = {.names = ROWS(java_names), .names_hold = ROWS(java_names_hold)},
    [SHAPE_C] = {.parts = ROWS(c_parts), .names = ROWS(c_names)},
};

/* The first row that fits a part of the path, from the path's beginning on. */
static const struct code *find_part(struct rows t, struct slice pathname)
{
    while (pathname.size && t.count) {
        for (size_t i = 0; i < t.count; i++) {
            if (t.rows[i].first == *begin_of(pathname) &&
                begins_with(pathname, t.rows[i].text, t.rows[i].size))
                return &t.rows[i];
        }
        const char *slash = find(pathname, '/');
        pathname = slash ? between(slash + 1, end_of(pathname)) : (struct slice){0};
    }
    return NULL;
}

static const struct code *find_name(struct rows t, struct slice function)
{
    char first = function.size ? *begin_of(function) : '\0';
    for (size_t i = 0; i < t.count; i++) {
        const struct code *c = &t.rows[i];
        if (c->first == first && (!c->exact || c->size == function.size) &&
            begins_with(function, c->text, c->size))
            return c;
    }
    return NULL;
}

static const struct code *find_held(struct rows t, struct slice function)
{
    for (size_t i = 0; i < t.count; i++) {
        if (find_bytes(function, t.rows[i].text, t.rows[i].size))
            return &t.rows[i];
    }
    return NULL;
}

enum frame_owner code_owner(enum frame_shape shape, struct slice function, struct slice pathname)
{
    const struct code *c = find_part(codes[shape].parts, pathname);
    if (!c)
        c = find_name(codes[shape].names, function);
    if (!c)
        c = find_held(codes[shape].names_hold, function);
    return c ? (enum frame_owner)c->owner : OWNER_OWN;
}

struct slice code_base_name(struct slice pathname)
{
    const char *slash = find_last(pathname, '/');
    if (slash)
        return between(slash + 1, end_of(pathname));
    return behind_last(pathname, '\\');
}

bool frame_is(struct frame *ret, enum frame_shape shape, struct slice function, struct slice pathname)
{
    *ret = (struct frame){.shape = shape,
                          .owner = code_owner(shape, function, pathname),
                          .function = function,
                          .file = code_base_name(pathname),
                          .pathname = pathname};
    return function.size || pathname.size;
}
