/* fingerprint_code: see fingerprint_code.h. */
#include "broker/core/fingerprint_code.h"

#include "broker/core/fingerprint_line.h"

/* PART: the file's path has it, behind a slash or at its beginning. PATH: the path begins so. NAME: the function's
 * name begins so; EXACT: is that; HOLDS: has it somewhere. */
enum where { PART, PATH, NAME, EXACT, HOLDS };

struct code {
    enum where where;
    enum frame_owner owner;
    size_t size;
    const char *text;
};

#define CODE(where, owner, text)                                                                             \
    {                                                                                                        \
        where, OWNER_##owner, sizeof text - 1, text                                                          \
    }

static const struct code python_code[] = {
    CODE(PATH, RUNTIME, "<frozen "),       CODE(PART, LIBRARY, "site-packages/"),
    CODE(PART, LIBRARY, "dist-packages/"), CODE(PART, RUNTIME, "python2."),
    CODE(PART, RUNTIME, "python3."),
};

static const struct code ruby_code[] = {
    CODE(PATH, RUNTIME, "<internal:"), CODE(PART, LIBRARY, "gems/"),
    CODE(PART, RUNTIME, "ruby/2."),    CODE(PART, RUNTIME, "ruby/3."),
    CODE(PART, RUNTIME, "ruby/4."),    CODE(PART, RUNTIME, "ruby/vendor_ruby/"),
};

static const struct code node_code[] = {
    CODE(PATH, RUNTIME, "node:"),
    CODE(PATH, RUNTIME, "internal/"),
    CODE(PART, LIBRARY, "node_modules/"),
};

static const struct code php_code[] = {
    CODE(PATH, RUNTIME, "[internal function]"),
    CODE(EXACT, RUNTIME, "{main}"),
    CODE(PART, LIBRARY, "vendor/"),
};

static const struct code rust_code[] = {
    CODE(NAME, RUNTIME, "std::"),         CODE(NAME, RUNTIME, "core::"),
    CODE(NAME, RUNTIME, "alloc::"),       CODE(NAME, RUNTIME, "<std::"),
    CODE(NAME, RUNTIME, "<core::"),       CODE(NAME, RUNTIME, "<alloc::"),
    CODE(NAME, RUNTIME, "rust_"),         CODE(NAME, RUNTIME, "_"),
    CODE(EXACT, RUNTIME, "main"),         CODE(EXACT, RUNTIME, "clone"),
    CODE(EXACT, RUNTIME, "start_thread"), CODE(PART, RUNTIME, "rustc/"),
    CODE(PART, LIBRARY, "registry/src/"),
};

static const struct code go_code[] = {
    CODE(PART, LIBRARY, "pkg/mod/"),
    CODE(PART, LIBRARY, "vendor/"),
};

static const struct code java_code[] = {
    CODE(HOLDS, RUNTIME, "$$"),
    CODE(HOLDS, RUNTIME, "$Proxy"),
    CODE(HOLDS, RUNTIME, "GeneratedMethodAccessor"),
    CODE(HOLDS, RUNTIME, "GeneratedConstructorAccessor"),
    CODE(NAME, RUNTIME, "java."),
    CODE(NAME, RUNTIME, "javax."),
    CODE(NAME, RUNTIME, "jdk."),
    CODE(NAME, RUNTIME, "sun."),
    CODE(NAME, RUNTIME, "com.sun."),
    CODE(NAME, RUNTIME, "kotlin."),
    CODE(NAME, RUNTIME, "kotlinx."),
    CODE(NAME, RUNTIME, "scala."),
    CODE(NAME, RUNTIME, "groovy."),
    CODE(NAME, RUNTIME, "clojure."),
    CODE(NAME, LIBRARY, "jakarta."),
    CODE(NAME, LIBRARY, "org.springframework."),
    CODE(NAME, LIBRARY, "org.apache."),
    CODE(NAME, LIBRARY, "org.hibernate."),
    CODE(NAME, LIBRARY, "org.postgresql."),
    CODE(NAME, LIBRARY, "org.eclipse."),
    CODE(NAME, LIBRARY, "org.jboss."),
    CODE(NAME, LIBRARY, "org.codehaus."),
    CODE(NAME, LIBRARY, "com.fasterxml."),
    CODE(NAME, LIBRARY, "com.google.common."),
    CODE(NAME, LIBRARY, "com.mysql."),
    CODE(NAME, LIBRARY, "com.zaxxer."),
    CODE(NAME, LIBRARY, "io.netty."),
    CODE(NAME, LIBRARY, "io.micronaut."),
    CODE(NAME, LIBRARY, "io.quarkus."),
    CODE(NAME, LIBRARY, "io.vertx."),
    CODE(NAME, LIBRARY, "reactor."),
    CODE(NAME, LIBRARY, "rx."),
    CODE(NAME, LIBRARY, "akka."),
    CODE(NAME, LIBRARY, "cats."),
    CODE(NAME, LIBRARY, "okhttp3."),
    CODE(NAME, LIBRARY, "oracle."),
    CODE(NAME, RUNTIME, "System."),
    CODE(NAME, RUNTIME, "Microsoft."),
};

static const struct code c_code[] = {
    CODE(NAME, RUNTIME, "__"),
    CODE(NAME, RUNTIME, "_start"),
    CODE(NAME, RUNTIME, "_int_"),
    CODE(NAME, RUNTIME, "_IO_"),
    CODE(NAME, RUNTIME, "std::"),
    CODE(NAME, RUNTIME, "operator new"),
    CODE(NAME, RUNTIME, "operator delete"),
    CODE(NAME, RUNTIME, "malloc"),
    CODE(NAME, RUNTIME, "unlink_chunk"),
    CODE(NAME, RUNTIME, "<signal handler"),
    CODE(EXACT, RUNTIME, "abort"),
    CODE(EXACT, RUNTIME, "calloc"),
    CODE(EXACT, RUNTIME, "clone"),
    CODE(EXACT, RUNTIME, "clone3"),
    CODE(EXACT, RUNTIME, "free"),
    CODE(EXACT, RUNTIME, "gsignal"),
    CODE(EXACT, RUNTIME, "memcmp"),
    CODE(EXACT, RUNTIME, "memcpy"),
    CODE(EXACT, RUNTIME, "memmove"),
    CODE(EXACT, RUNTIME, "memset"),
    CODE(EXACT, RUNTIME, "pthread_kill"),
    CODE(EXACT, RUNTIME, "raise"),
    CODE(EXACT, RUNTIME, "realloc"),
    CODE(EXACT, RUNTIME, "start_thread"),
    CODE(EXACT, RUNTIME, "strcmp"),
    CODE(EXACT, RUNTIME, "strcpy"),
    CODE(EXACT, RUNTIME, "strdup"),
    CODE(EXACT, RUNTIME, "strlen"),
    CODE(PART, RUNTIME, "nptl/"),
    CODE(PART, RUNTIME, "sysdeps/"),
    CODE(PART, RUNTIME, "c++/"),
    CODE(PART, RUNTIME, "libc.so"),
    CODE(PART, RUNTIME, "ld-linux"),
    CODE(PART, RUNTIME, "libpthread.so"),
    CODE(PART, RUNTIME, "libgcc_s.so"),
    CODE(PART, RUNTIME, "libstdc++.so"),
    CODE(PART, RUNTIME, "libasan.so"),
    CODE(PART, RUNTIME, "libubsan.so"),
    CODE(PART, RUNTIME, "linux-vdso"),
};

#define TABLE(rows)                                                                                          \
    {                                                                                                        \
        (rows), sizeof rows / sizeof *rows                                                                   \
    }
static const struct {
    const struct code *rows;
    size_t count;
} codes[FRAME_SHAPES] = {
    [SHAPE_PYTHON] = TABLE(python_code), [SHAPE_RUBY] = TABLE(ruby_code), [SHAPE_NODE] = TABLE(node_code),
    [SHAPE_PHP] = TABLE(php_code),       [SHAPE_RUST] = TABLE(rust_code), [SHAPE_GO] = TABLE(go_code),
    [SHAPE_JAVA] = TABLE(java_code),     [SHAPE_C] = TABLE(c_code),
};

static bool has_part(struct slice pathname, const struct code *c)
{
    for (;;) {
        if (begins_with(pathname, c->text, c->size))
            return true;
        const char *slash = find(pathname, '/');
        if (!slash)
            return false;
        pathname = between(slash + 1, end_of(pathname));
    }
}

static bool fits(const struct code *c, struct slice function, struct slice pathname)
{
    switch (c->where) {
    case PART:
        return pathname.size >= c->size && has_part(pathname, c);
    case PATH:
        return begins_with(pathname, c->text, c->size);
    case NAME:
        return begins_with(function, c->text, c->size);
    case EXACT:
        return function.size == c->size && begins_with(function, c->text, c->size);
    case HOLDS:
        return find(function, c->text[0]) && memmem(function.data, function.size, c->text, c->size);
    }
    return false;
}

enum frame_owner code_owner(enum frame_shape shape, struct slice function, struct slice pathname)
{
    for (size_t i = 0; i < codes[shape].count; i++) {
        if (fits(&codes[shape].rows[i], function, pathname))
            return codes[shape].rows[i].owner;
    }
    return OWNER_OWN;
}

struct slice code_base_name(struct slice pathname)
{
    return before(behind_last(behind_last(pathname, '/'), '\\'), '?');
}

bool frame_is(struct frame *ret, enum frame_shape shape, struct slice function, struct slice pathname)
{
    *ret = (struct frame){.shape = shape,
                          .owner = code_owner(shape, function, pathname),
                          .function = function,
                          .file = code_base_name(pathname)};
    return function.size || pathname.size;
}
