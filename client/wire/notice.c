/* notice: see notice.h. */
#include "client/wire/notice.h"

#include "base/list.h"
#include <stdlib.h>

struct notice *notice_new(shunt_done_cb *callback, void *context, int64_t until_us)
{
    struct notice *n = calloc(1, sizeof *n);
    if (n)
        *n = (struct notice){.callback = callback, .context = context, .until_us = until_us};
    return n;
}

bool notice_call_back(struct notice_list *list)
{
    struct notice *n = list->head;
    if (!n)
        return false;
    /* All state moves on before the call: it may come back here, or never return. */
    struct notice told = *n;
    list_remove(list, n);
    free(n);
    if (told.callback)
        told.callback(told.context, told.error.code != 0 ? &told.error : NULL);
    return true;
}

void notice_free_all(struct notice_list *list)
{
    while (list->head) {
        struct notice *n = list->head;
        list_remove(list, n);
        free(n);
    }
}
