/* A library that a handler crashes in. It is built twice: after an upgrade another function, of the same
 * code, stands where this one stood. */
#ifdef NEWER
#define FUNCTION another_function
#else
#define FUNCTION replaced_library_function
#endif

__attribute__((visibility("default"), no_sanitize("address", "undefined"))) int FUNCTION(volatile int *at);

int FUNCTION(volatile int *at)
{
    *at = 1;
    return *at;
}
