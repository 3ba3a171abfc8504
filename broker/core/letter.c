/* letter: see letter.h. */
#include "broker/core/letter.h"
#include "base/check.h"
#include "broker/core/history.h"
#include "broker/core/view_put.h"

int letter_row(struct ledger *l, struct topic *dlq, uint64_t dead_seq, const struct loaded_message *m,
               struct dead_letter *ret)
{
    enum where where = WHERE_GONE;
    *ret =
        (struct dead_letter){.g = catalog_group_by_id(l, dlq->r.origin_group), .dead_seq = dead_seq, .m = m};
    int err = ret->g ? place_find(l, ret->g, m->dead.origin_seq, &where, &ret->row) : SHUNT_CORRUPT;
    return !err && where != WHERE_TRACKED ? SHUNT_CORRUPT : err;
}

int letter_last(struct ledger *l, const struct dead_letter *d, struct history_record *ret)
{
    *ret = (struct history_record){0};
    return d->row.rows ? history_last(l, d->g, d->m->dead.origin_seq, ret) : 0;
}

int letter_error(struct ledger *l, const struct dead_letter *d, struct history_record *ret_last,
                 struct view_error *ret)
{
    int err = letter_last(l, d, ret_last);
    if (err)
        return err;
    view_error_of(ret_last, d->m->ttl_ms, ret);
    if (!ret_last->ended_ms || !ret->type.size)
        view_error_of_reason(d->m->dead.reason, ret);
    return 0;
}

/* ---- filters ---- */

static bool is_slice(struct slice a, struct slice b)
{
    return a.size == b.size && !memcmp(a.data, b.data, a.size);
}

static bool has_header(const struct message_view *m, const struct letter_filter *f)
{
    struct mpack_reader r;
    if (!m->headers.size)
        return false;
    mpack_read_init(&r, m->headers.data, m->headers.size);
    for (uint32_t pairs = mpack_read_map(&r); pairs && !r.failed; pairs--) {
        struct slice name = mpack_read_str(&r);
        struct slice value = mpack_peek(&r) == MPACK_BIN ? mpack_read_bin(&r) : mpack_read_str(&r);
        if (is_slice(name, f->header))
            return is_slice(value, f->value);
    }
    return false;
}

bool letter_passes_row(const struct ledger *l, const struct letter_filter *f, const struct dead_record *dead)
{
    return (!f->cause || f->cause == dead->cause) && (!f->has_reason || f->reason == dead->reason) &&
           (!f->since_ms || ledger_shown_ms(l, dead->died_ms) >= f->since_ms);
}

int letter_passes(struct ledger *l, const struct letter_filter *f, const struct dead_letter *d, bool *ret)
{
    struct history_record last;
    struct view_error error;
    struct message_view m = view_parse(d->m->message);
    *ret = (!f->key.size || is_slice(f->key, m.key)) && (!f->header.size || has_header(&m, f));
    if (!*ret || (!f->type.size && !f->match.size))
        return 0;
    int err = letter_error(l, d, &last, &error);
    if (err)
        return err;
    *ret = (!f->type.size || is_slice(f->type, error.type)) &&
           (!f->match.size || memmem(error.message.data, error.message.size, f->match.data, f->match.size));
    return 0;
}

/* ---- kept ---- */

static void keep(struct filter_text *to, struct slice text)
{
    check(text.size <= sizeof to->bytes);
    to->size = (uint32_t)text.size;
    if (text.size)
        memcpy(to->bytes, text.data, text.size);
}

static struct slice kept(const struct filter_text *t)
{
    return (struct slice){t->bytes, t->size};
}

void letter_filter_keep(struct filter_record *to, const struct letter_filter *f)
{
    *to = (struct filter_record){
        .cause = f->cause, .has_reason = f->has_reason, .reason = f->reason, .since_ms = f->since_ms};
    keep(&to->type, f->type);
    keep(&to->match, f->match);
    keep(&to->header, f->header);
    keep(&to->value, f->value);
    keep(&to->key, f->key);
}

struct letter_filter letter_filter_kept(const struct filter_record *r)
{
    return (struct letter_filter){.cause = r->cause,
                                  .has_reason = r->has_reason,
                                  .reason = r->reason,
                                  .since_ms = r->since_ms,
                                  .type = kept(&r->type),
                                  .match = kept(&r->match),
                                  .header = kept(&r->header),
                                  .value = kept(&r->value),
                                  .key = kept(&r->key)};
}
