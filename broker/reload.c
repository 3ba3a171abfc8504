/* reload: comparing the settings in force with those just read. */
#include "broker/reload.h"

#include <string.h>

unsigned reload_merge(struct config *now, struct config *fresh, const struct log *log)
{
    unsigned changed = 0;
    for (int i = 0; i < CONFIG_COUNT; i++) {
        const struct config_row *row = &config_rows[i];
        if (strcmp(now->text[i], fresh->text[i]) == 0)
            continue;
        struct log_line line;
        log_begin(&line, log, row->reload ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
                  row->reload ? "setting_changed" : "setting_needs_restart");
        log_text(&line, "setting", row->name);
        if (row->unit != VALUE_URL && row->unit != VALUE_COMMAND) { /* which may hold a secret */
            log_text(&line, "from", now->text[i]);
            log_text(&line, "to", fresh->text[i]);
        }
        log_end(&line);
        if (!row->reload)
            continue;
        char *old = now->text[i];
        now->text[i] = fresh->text[i];
        now->number[i] = fresh->number[i];
        fresh->text[i] = old; /* goes with `fresh` */
        changed++;
    }
    return changed;
}
