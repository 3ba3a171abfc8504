/* cause: what dead letters died of, as it is shown: the members of its JSON are a contract (docs/cli.md). */
#ifndef SHUNT_CLI_CAUSE_H
#define SHUNT_CLI_CAUSE_H

#include "cli/record.h"

struct call;
struct json;
struct shunt_value;

#define CAUSE_DIGITS 16 /* of a fingerprint, hexadecimal */

/* The whole fingerprint, of CAUSE_DIGITS, of the one cause of the topic and group of the command line that begins with
 * `given`. Returns an exit code; after saying why if there is none (EXIT_NOTHING), or if several begin so (EXIT_USAGE). */
int cause_resolve(struct call *call, const char *given, char *ret);

/* An object: as `dlq causes` lists it, and with its hours and its example. */
void cause_json(struct json *j, const struct shunt_value *cause, const char *group);
void cause_whole_json(struct json *j, const struct shunt_value *cause, const char *group);

/* For people: what is known, builds, hosts, hours, samples and the example. */
void cause_show(const struct shunt_value *cause);

#endif
