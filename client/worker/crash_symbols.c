/* crash_symbols: see crash_symbols.h. */
#include "client/worker/crash_symbols.h"

#include "client/worker/cxx.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTION_BYTES_MAX 256

#define PROGRAM_PATH "/proc/self/exe" /* the file that runs, even if another has taken its place */

#ifdef HAVE_LIBDW

#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <pthread.h>

/* The library is loaded when a crash is first told of: a program that has none does without it, and without the dozen others that it brings. It
 * stays then. What is called is listed once. */
#define LIBRARY "libdw.so.1"
/* clang-format off */
#define FUNCTIONS(X) \
    X(dwarf_attr) X(dwarf_attr_integrate) X(dwarf_diename) X(dwarf_filesrc) X(dwarf_formstring) \
    X(dwarf_formudata) X(dwarf_getscopes) X(dwarf_getsrc_die) X(dwarf_getsrcfiles) X(dwarf_haspc) \
    X(dwarf_lineno) X(dwarf_linesrc) X(dwarf_tag) X(dwfl_addrmodule) X(dwfl_begin) X(dwfl_end) \
    X(dwfl_module_addrdie) X(dwfl_module_addrname) X(dwfl_module_build_id) X(dwfl_module_getelf) \
    X(dwfl_module_nextcu) X(dwfl_report_begin_add) X(dwfl_report_elf) X(dwfl_report_end) \
    X(dwfl_build_id_find_elf) X(dwfl_build_id_find_debuginfo)
/* clang-format on */

#define MEMBER(name) __typeof__(&name) name;
#define NAME(name)   #name,
static struct {
    FUNCTIONS(MEMBER)
} dw;
static const char *const names[] = {FUNCTIONS(NAME)};

struct crash_symbols {
    Dwfl *dwfl;
};

static char *debuginfo_path;

/* Not the standard search: that one may ask a server on the network, and this runs in somebody's event loop. */
static Dwfl_Callbacks callbacks = {.debuginfo_path = &debuginfo_path};
static bool loaded;

/* Each thread may have a worker of its own. */
static void load(void)
{
    void *found[sizeof names / sizeof *names];
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

    for (size_t i = 0; library && i < sizeof names / sizeof *names; i++) {
        found[i] = dlsym(library, names[i]);
        if (found[i])
            continue;
        (void)dlclose(library); /* not the one that we were built with: as if there were none */
        library = NULL;
    }
    if (!library)
        return;
    _Static_assert(sizeof dw == sizeof found, "a pointer for each name");
    memcpy(&dw, found, sizeof dw); /* where there is dlsym(), it returns functions too */
    callbacks.find_elf = dw.dwfl_build_id_find_elf;
    callbacks.find_debuginfo = dw.dwfl_build_id_find_debuginfo;
    loaded = true;
}

struct crash_symbols *crash_symbols_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, load); /* cannot fail with a control that is initialised */
    struct crash_symbols *s = loaded ? malloc(sizeof *s) : NULL;
    if (!s)
        return NULL;
    s->dwfl = dw.dwfl_begin(&callbacks);
    if (!s->dwfl) {
        free(s);
        return NULL;
    }
    return s;
}

void crash_symbols_free(struct crash_symbols *s)
{
    if (s) {
        dw.dwfl_end(s->dwfl);
        free(s);
    }
}

static Dwfl_Module *symbols_module(struct crash_symbols *s, const struct crash_frame *frame)
{
    const char *path = frame->module[0] == '\0' ? PROGRAM_PATH : frame->module;
    Dwfl_Module *module = dw.dwfl_addrmodule(s->dwfl, frame->address);

    if (module || path[0] != '/')
        return module;
    dw.dwfl_report_begin_add(s->dwfl);
    module = dw.dwfl_report_elf(s->dwfl, path, path, -1, frame->bias, true);
    (void)dw.dwfl_report_end(s->dwfl, NULL, NULL); /* without a callback it cannot fail */
    return module;
}

/* The code that ran, and that in the module's file, are not the same. */
static bool symbols_replaced(Dwfl_Module *module, const struct crash_frame *frame)
{
    const unsigned char *id = NULL;
    GElf_Addr address, bias;
    int bytes;

    if (frame->build_bytes == 0)
        return false;
    (void)dw.dwfl_module_getelf(module, &bias); /* it is opened here, and then has its build id */
    bytes = dw.dwfl_module_build_id(module, &id, &address);
    return bytes < (int)frame->build_bytes || memcmp(id, frame->build, frame->build_bytes) != 0;
}

/* The compilation unit at `address`; `*ret_bias` is to be taken off an address before asking the unit about
 * it. */
static Dwarf_Die *symbols_unit(Dwfl_Module *module, Dwarf_Addr address, Dwarf_Addr *ret_bias)
{
    Dwarf_Die *unit = dw.dwfl_module_addrdie(module, address, ret_bias);

    if (unit)
        return unit;
    /* No index of addresses (clang writes none): look at each unit. */
    while ((unit = dw.dwfl_module_nextcu(module, unit, ret_bias))) {
        if (dw.dwarf_haspc(unit, address - *ret_bias) > 0)
            return unit;
    }
    return NULL;
}

/* Where an inlined function was called from: `line` set to that place, if the debug information has it. */
static void symbols_call_site(Dwarf_Die *unit, Dwarf_Die *scope, struct crash_line *line)
{
    Dwarf_Attribute attribute;
    Dwarf_Word file = 0, number = 0;
    Dwarf_Files *files;
    size_t files_count;

    line->file = NULL;
    line->line = 0;
    if (dw.dwarf_formudata(dw.dwarf_attr(scope, DW_AT_call_line, &attribute), &number) != 0 ||
        dw.dwarf_formudata(dw.dwarf_attr(scope, DW_AT_call_file, &attribute), &file) != 0 ||
        dw.dwarf_getsrcfiles(unit, &files, &files_count) != 0 || file >= files_count)
        return;
    line->file = dw.dwarf_filesrc(files, (size_t)file, NULL, NULL);
    line->line = (int)number;
}

/* The name of a function as its source has it: with its namespace and arguments if it is C++. */
static const char *symbols_name(Dwarf_Die *scope, char room[FUNCTION_BYTES_MAX])
{
    Dwarf_Attribute attribute;
    const char *linkage = dw.dwarf_formstring(dw.dwarf_attr_integrate(scope, DW_AT_linkage_name, &attribute));

    return !linkage ? dw.dwarf_diename(scope) : cxx_demangle(room, FUNCTION_BYTES_MAX, linkage);
}

/* The scopes at an address, innermost first; true if the function they are in was reached. */
static bool symbols_scopes(Dwarf_Die *unit, Dwarf_Addr address, struct crash_line *line,
                           crash_line_cb *callback, void *context)
{
    char name[FUNCTION_BYTES_MAX];
    Dwarf_Die *scopes = NULL;
    int count = dw.dwarf_getscopes(unit, address, &scopes);
    bool found = false;

    for (int i = 0; i < count && !found; i++) {
        int tag = dw.dwarf_tag(&scopes[i]);

        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
            continue;
        line->function = symbols_name(&scopes[i], name);
        callback(context, line);
        found = tag == DW_TAG_subprogram;
        if (!found)
            symbols_call_site(unit, &scopes[i], line);
    }
    free(scopes);
    return found;
}

void crash_symbols_lines(struct crash_symbols *s, const struct crash_frame *frame, crash_line_cb *callback,
                         void *context)
{
    struct crash_line line = {.module = frame->module, .offset = frame->address - frame->bias};
    char name[FUNCTION_BYTES_MAX];
    Dwfl_Module *module = !s ? NULL : symbols_module(s, frame);
    Dwarf_Addr bias = 0;

    if (module && symbols_replaced(module, frame)) {
        line.replaced = true;
        callback(context, &line);
        return;
    }
    Dwarf_Die *unit = !module ? NULL : symbols_unit(module, frame->address, &bias);
    Dwarf_Line *at = !unit ? NULL : dw.dwarf_getsrc_die(unit, frame->address - bias);

    if (at && dw.dwarf_lineno(at, &line.line) == 0)
        line.file = dw.dwarf_linesrc(at, NULL, NULL);
    if (unit && symbols_scopes(unit, frame->address - bias, &line, callback, context))
        return;
    line.function = !module ? NULL : dw.dwfl_module_addrname(module, frame->address);
    if (line.function)
        line.function = cxx_demangle(name, sizeof name, line.function);
    callback(context, &line);
}

#else

struct crash_symbols *crash_symbols_new(void)
{
    return NULL;
}

void crash_symbols_free(struct crash_symbols *s)
{
    (void)s;
}

void crash_symbols_lines(struct crash_symbols *s, const struct crash_frame *frame, crash_line_cb *callback,
                         void *context)
{
    (void)s;
    callback(context, &(struct crash_line){.module = frame->module, .offset = frame->address - frame->bias});
}

#endif
