/* cxx: what a C library can know of C++ in its process, without being linked to it.
 *
 * All of it goes by the Itanium C++ ABI, which gcc and clang follow on Linux. Its entry points are weak here:
 * in a program without C++ they are not there, and nothing needs them.
 */
#ifndef SHUNT_CLIENT_WORKER_CXX_H
#define SHUNT_CLIENT_WORKER_CXX_H

#include <stddef.h>

struct _Unwind_Exception;

#define CXX_NAME_BYTES_MAX 256

/* The name as it stands in the source, cut to `room` bytes with the terminator; as it is if it is no mangled
 * one or there is nobody to ask. Allocates, so it is not for signal handlers. Returns `to`. */
char *cxx_demangle(char *to, size_t room, const char *name);

struct cxx_caught {
    char type[CXX_NAME_BYTES_MAX]; /* `std::runtime_error`; `exception` if it is not known */
    char what[1024];               /* what() of a std::exception; "" otherwise */
};

/* Describe an exception that was caught on its way, and end it. */
void cxx_end(struct _Unwind_Exception *exception, struct cxx_caught *ret);

#endif
