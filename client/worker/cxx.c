/* cxx: see cxx.h. Sources: the Itanium C++ ABI, sections 2.9 (type information) and 2.4 of its exception
 * handling; for the order of the virtual functions libstdc++'s <typeinfo> and <exception>. */
#include "client/worker/cxx.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

/* A std::type_info: its virtual functions, and the mangled name, after `*` if the type is local to its file.
 */
struct type_info {
    void *const *functions;
    const char *name;
};

extern char *__cxa_demangle(const char *name, char *room, size_t *room_bytes, int *ret_status)
    __attribute__((weak));
extern void *__cxa_begin_catch(void *exception) __attribute__((weak));
extern void __cxa_end_catch(void) __attribute__((weak));
extern const struct type_info *__cxa_current_exception_type(void) __attribute__((weak));
/* The type information of std::exception. */
extern const struct type_info type_of_std_exception __asm__("_ZTISt9exception") __attribute__((weak));

/* The place of std::type_info::__do_catch() in libstdc++, and of std::exception::what(). */
enum { TYPE_INFO_DO_CATCH = 4, EXCEPTION_WHAT = 2 };

typedef bool do_catch_fn(const struct type_info *self, const struct type_info *thrown, void **object,
                         unsigned outer);
typedef const char *what_fn(const void *self);

char *cxx_demangle(char *to, size_t room, const char *name)
{
    int status = -1;
    char *text = NULL;

    if (__cxa_demangle)
        text = __cxa_demangle(name, NULL, NULL, &status);
    (void)snprintf(to, room, "%s", text && status == 0 ? text : name);
    free(text);
    return to;
}

static bool is_class(const struct _Unwind_Exception *exception, const char *eight)
{
    uint64_t wanted = 0;

    for (size_t i = 0; i < 8; i++)
        wanted = wanted << 8 | (unsigned char)eight[i];
    /* The last byte tells a dependent exception (std::rethrow_exception) from its original. */
    return (exception->exception_class | 1) == (wanted | 1);
}

/* What a std::exception, or what derives from it, has to say. Only libstdc++ is known to lay its virtual
 * functions out like this. */
static const char *what_of(const struct type_info *thrown, struct _Unwind_Exception *object)
{
    do_catch_fn *do_catch;
    what_fn *what;
    void *const *functions;
    void *base = object;

    if (!&type_of_std_exception)
        return NULL;
    memcpy(&do_catch, &type_of_std_exception.functions[TYPE_INFO_DO_CATCH], sizeof(do_catch_fn *));
    if (!do_catch(&type_of_std_exception, thrown, &base, 1) || !base)
        return NULL;
    memcpy(&functions, base, sizeof functions);
    memcpy(&what, &functions[EXCEPTION_WHAT], sizeof(what_fn *));
    return what(base);
}

void cxx_end(struct _Unwind_Exception *exception, struct cxx_caught *ret)
{
    bool gnu = is_class(exception, "GNUCC++");
    const struct type_info *type;
    const char *what;

    (void)snprintf(ret->type, sizeof ret->type, "exception");
    ret->what[0] = '\0';
    if (!__cxa_begin_catch || !__cxa_end_catch || (!gnu && !is_class(exception, "CLNGC++"))) {
        _Unwind_DeleteException(exception);
        return;
    }
    /* Its result is made by a personality routine of C++, which did not run. */
    (void)__cxa_begin_catch(exception);
    type = !__cxa_current_exception_type ? NULL : __cxa_current_exception_type();
    if (type) {
        (void)cxx_demangle(ret->type, sizeof ret->type, type->name + (type->name[0] == '*'));
        /* The object thrown lies behind the header; one that is thrown again (std::rethrow_exception)
         * elsewhere. */
        what = gnu && (exception->exception_class & 1) == 0 ? what_of(type, exception + 1) : NULL;
        if (what)
            (void)snprintf(ret->what, sizeof ret->what, "%s", what);
    }
    __cxa_end_catch();
}
