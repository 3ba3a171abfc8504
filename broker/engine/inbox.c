/* inbox: see inbox.h. */
#include "broker/engine/inbox.h"
#include "base/check.h"
#include "broker/engine/snapshot_wait.h"
#include "broker/engine/state.h"
#include "broker/login/login.h"
#include "proto/errors.h"

#include <stdlib.h>

/* What an item of each kind comes with. */
static bool is_whole(const struct inbox_item *item)
{
    switch (item->kind) {
    case PORT_FRAMES:
        return item->link && item->chunk && item->bytes.size;
    case PORT_LOST:
    case PORT_BROKEN:
    case PORT_ENDED:
    case PORT_DRAINED:
    case PORT_CAUGHT_UP:
        return item->link && !item->chunk;
    case PORT_ROOM:
        return !item->link && !item->chunk;
    case PORT_LOGIN:
        return item->link && item->ticket;
    case PORT_SNAPSHOT:
        return !item->link && item->wait;
    }
    return false;
}

bool inbox_may_serve(const struct engine *e)
{
    return e->asleep && !e->served && !e->stopping && !e->reload && e->store->ops->any_thread &&
           atomic_load(&e->config.totals->inbox_bytes) <= ENGINE_SERVE_BYTES_MAX;
}

void engine_post(struct engine *e, struct inbox_item *item)
{
    check(e->magic == ENGINE_MAGIC);
    check(is_whole(item));
    item->counted_bytes = sizeof *item + (item->memory_bytes ? item->memory_bytes : item->bytes.size);
    item->held = false;
    flow_inbox_add(e->config.totals, item->link ? &item->link->account : NULL, item->counted_bytes);
    (void)pthread_mutex_lock(&e->mutex);
    bool refuse = e->stopped;
    bool left = item->soon && inbox_may_serve(e);
    if (!refuse)
        inbox_list_add(&e->inbox, item);
    (void)pthread_mutex_unlock(&e->mutex);
    if (left)
        return;
    if (refuse) {
        item->next = NULL;
        inbox_free(item); /* nobody will look at it any more */
    } else {
        (void)pthread_cond_signal(&e->wake); /* the thread that wakes finds the mutex free */
    }
}

bool engine_inbox_full(struct engine *e, const struct link *link)
{
    check(e->magic == ENGINE_MAGIC);
    return flow_inbox_must_wait(e->config.totals, link ? &link->account : NULL);
}

void inbox_take(struct engine *e)
{
    inbox_list_move(&e->inbox, &e->backlog);
}

void inbox_free(struct inbox_item *item)
{
    while (item) {
        struct inbox_item *next = item->next;
        if (item->wait)
            snapshot_wait_answer(item->wait, NULL, SHUNT_SHUTTING_DOWN);
        login_drop(item->ticket);
        chunk_unref(item->chunk);
        link_unref(item->link);
        free(item);
        item = next;
    }
}
