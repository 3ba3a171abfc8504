/* rule_does: what a rule does to a letter, in words. */
#include <string.h>

#include "cli/rule.h"

const char *rule_does(const char *action)
{
    static const char *const does[][2] = {{"mute", "mutes it"},
                                          {"discard", "discards its message"},
                                          {"redrive", "brings it back"},
                                          {"move", "moves it to another topic"}};
    for (size_t i = 0; i < sizeof does / sizeof *does; i++) {
        if (!strcmp(action, does[i][0]))
            return does[i][1];
    }
    return action;
}
