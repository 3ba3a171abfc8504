/* console: serves the files of the web page by which people use the admin API (docs/console.md), which are part of the program.
 *
 * They hold no data, so nobody has to log in for them: the page asks the API, which looks at who it is. */
#ifndef SHUNT_HTTP_CONSOLE_H
#define SHUNT_HTTP_CONSOLE_H

#include <microhttpd.h>
#include <stdbool.h>

#define CONSOLE_PATH "/console/"

/* True if a request with this path (decoded, without its query) is for the console. */
bool console_is_meant(const char *path);

/* Answer a GET or HEAD of such a path: with a file, or with where the page is. */
enum MHD_Result console_answer(struct MHD_Connection *connection, const char *path);

#endif
