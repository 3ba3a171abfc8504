/* Where a handler crashed is told by the right names, also after the files that it runs from were replaced,
 * as an upgrade does; and by none rather than by those of other code. usage: PROGRAM LIBRARY NEWER-LIBRARY it
 * copies itself into a folder of its own, and runs there COPY LIBRARY NEWER-LIBRARY FOLDER       the tests */
#include "child_case.h"

#include "client/worker/crash_report.h"

#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int crashing_fn(volatile int *at);

static char program[256], library[256], late_library[256];
static const char *newer_library;
static crashing_fn *crashing;
static volatile int *volatile nowhere; /* so that no compiler sees the crash coming */

static void file_copy(const char *from, const char *to)
{
    char command[1024];

    (void)snprintf(command, sizeof command, "cp -f '%s' '%s.new' && mv -f '%s.new' '%s'", from, to, to, to);
    expect(system(command) == 0);
}

/* A sanitizer would tell the crash in its own words. */
__attribute__((noinline, no_sanitize("address", "undefined"))) static int crash_in_program(volatile int *at)
{
    *at = 1;
    return *at;
}

static int handle(void *context, const void *bytes, size_t size, struct shunt_verdict *v)
{
    crashing_fn *late;
    void *handle_of;

    (void)context;
    (void)size;
    (void)v;
    if (strcmp(bytes, "program") == 0)
        return crash_in_program(nowhere);
    if (strcmp(bytes, "library") == 0)
        return crashing(nowhere);
    /* Loaded here, where the parent does not have it; replaced before the parent looks. */
    handle_of = dlopen(late_library, RTLD_NOW);
    *(void **)&late = !handle_of ? NULL : dlsym(handle_of, "replaced_library_function");
    file_copy(newer_library, late_library);
    return late(nowhere);
}

static struct child_pool *pool_of_one(void)
{
    return pool_start(&(struct child_pool_settings){.children = 1, .handle = handle, .done = on_done});
}

static void do_and_end(const char *what)
{
    struct child_pool *p = pool_of_one();

    pool_do(p, what);
    child_pool_free(p);
    expect(result.outcome == SHUNT_NACK && strcmp(result.verdict.type, "SIGSEGV") == 0);
}

static void a_program_that_was_replaced_is_still_named(void)
{
    file_copy("/bin/true", program);
    do_and_end("program");
#ifdef HAVE_LIBDW
    expect_has(result.verdict.stack, "crash_in_program at ");
    expect_has(result.verdict.stack, "test_crash_names.c:");
#else
    expect_has(result.verdict.stack, " at program+0x");
#endif
}

static void load(const char *from)
{
    void *handle_of;

    file_copy(from, library);
    handle_of = dlopen(library, RTLD_NOW);
    expect(handle_of);
    *(void **)&crashing = dlsym(handle_of, "replaced_library_function");
    expect(crashing);
}

static void a_library_is_named(void)
{
    do_and_end("library");
#ifdef HAVE_LIBDW
    expect(strncmp(result.verdict.stack, "replaced_library_function at ", 29) == 0);
    expect_has(result.verdict.stack, "replaced_library.c:");
#endif
}

static void a_library_that_was_replaced_has_no_names_of_other_code(void)
{
    file_copy(newer_library, library);
    do_and_end("library");
    expect(!strstr(result.verdict.stack, "another_function"));
    expect(!strstr(result.verdict.stack, "replaced_library"));
    expect(strncmp(result.verdict.stack, "?? at ", 6) == 0);
    expect_has(result.verdict.stack, "/library.so+0x");
#ifdef HAVE_LIBDW
    expect_has(result.verdict.stack, " (its file was replaced)\n");
#endif
}

static void so_it_is_if_the_child_alone_has_loaded_it(void)
{
    do_and_end("late");
    expect(!strstr(result.verdict.stack, "another_function"));
    expect_has(result.verdict.stack, "/late.so+0x");
}

/* The copy is replaced under way, the program must not be. */
static int run_a_copy(char **argv)
{
    char folder[] = "/tmp/shunt-names-XXXXXX", self[256] = "", command[2048];
    int status;

    expect(mkdtemp(folder));
    expect(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    (void)snprintf(program, sizeof program, "%s/program", folder);
    file_copy(self, program);
    (void)snprintf(command, sizeof command, "%s '%s' '%s' %s", program, argv[1], argv[2], folder);
    status = system(command);
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    (void)!system(command); /* what cannot be removed is in nobody's way */
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
    static void (*const cases[])(void) = {a_program_that_was_replaced_is_still_named, a_library_is_named,
                                          a_library_that_was_replaced_has_no_names_of_other_code,
                                          so_it_is_if_the_child_alone_has_loaded_it};

    if (argc == 3)
        return run_a_copy(argv);
    expect(argc == 4);
    (void)snprintf(program, sizeof program, "%s/program", argv[3]);
    (void)snprintf(library, sizeof library, "%s/library.so", argv[3]);
    newer_library = argv[2];
    load(argv[1]);
    (void)snprintf(late_library, sizeof late_library, "%s/late.so", argv[3]);
    file_copy(argv[1], late_library);
    cases_run(cases, sizeof cases / sizeof *cases);
    return 0;
}
