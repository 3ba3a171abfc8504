/* config: the server's settings, as one table made from config.def. Values come from the defaults, then a
 * file, then the command line; each is checked against its row where it is set. */
#ifndef SHUNT_BROKER_CONFIG_H
#define SHUNT_BROKER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_TEXT_BYTES_MAX 4096 /* with the terminator; as long as a path may be */
#define CONFIG_URL_BYTES_MAX  2048 /* the same of a URL */
#define CONFIG_WHY_BYTES      512
#define CONFIG_FILE_BYTES_MAX (1024 * 1024)

enum config_field {
#define CONFIG(field, name, unit, least, most, initial, reload, text) CONFIG_##field,
#include "broker/config.def"
#undef CONFIG
    CONFIG_COUNT
};

enum config_unit {
    VALUE_ADDRESS,
    VALUE_ADDRESS_OR_OFF,
    VALUE_PATH,
    VALUE_SIZE,
    VALUE_DURATION,
    VALUE_COUNT,
    VALUE_LEVEL,
    VALUE_AUTO,
    VALUE_HOSTS,
    VALUE_COMMAND,
    VALUE_URL,
    VALUE_PATH_OR_OFF,
    VALUE_CLIENT_AUTH,
    VALUE_TLS_VERSION,
    VALUE_SOCKET_OR_OFF,
};

enum config_auto { AUTO_AUTO, AUTO_ON, AUTO_OFF };
enum config_client_auth { CLIENT_AUTH_OFF, CLIENT_AUTH_REQUEST, CLIENT_AUTH_REQUIRE };
enum config_tls_version { TLS_VERSION_12, TLS_VERSION_13 };

struct config_row {
    const char *name;
    enum config_unit unit;
    const char *least, *most, *initial;
    bool reload;
    const char *text;
};

/* One row per config_field, in that order. */
extern const struct config_row config_rows[CONFIG_COUNT];

struct config {
    char *text[CONFIG_COUNT];     /* each as it was written */
    int64_t number[CONFIG_COUNT]; /* bytes, ms, a count, a log level or an enum from above; 0 for texts */
};

/* The defaults. fails: NO_MEMORY. */
int config_init(struct config *c);
void config_done(struct config *c); /* takes a zeroed one */

/* The row named `name`, or -1. */
int config_find(const char *name);

/* Set one value from text.
 * fails: BAD_ARGUMENT, with a sentence in `ret_why`; NO_MEMORY. Then nothing has changed. */
int config_set(struct config *c, enum config_field field, const char *value, char *ret_why, size_t why_bytes);

/* Read a file over what is there. Keys that it does not name keep their value.
 * fails: BAD_ARGUMENT, `ret_why` is "FILE:LINE:COLUMN: what is wrong"; IO (cannot be read); NO_MEMORY. Some
 * values may have been set then. */
int config_load(struct config *c, const char *path, char *ret_why, size_t why_bytes);

/* Check what settings must hold together. fails: BAD_ARGUMENT. */
int config_check(const struct config *c, char *ret_why, size_t why_bytes);

/* Is the HTTP interface switched off? */
bool config_http_is_off(const struct config *c);
/* Does it speak HTTPS? */
bool config_http_is_tls(const struct config *c);
/* The text of a setting that may be `off`: then NULL. */
const char *config_unless_off(const struct config *c, enum config_field field);

#endif
