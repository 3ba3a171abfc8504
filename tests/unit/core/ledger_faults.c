/* ledger_faults: trying batches with failures. */
#include "tests/unit/core/ledger_faults.h"

#include <criterion/criterion.h>

static const int errors[] = {SHUNT_IO, SHUNT_NO_SPACE, SHUNT_CORRUPT, SHUNT_NO_MEMORY};

/* One try: what is to fail, and what came of it. */
struct attempt {
    uint64_t call; /* of the store, that fails with `err`; 0: none */
    int err;
    uint64_t allocation; /* that fails; 0: none */
    int result;
    bool failed;    /* it came that far */
    unsigned asked; /* of the transaction, after it had failed */
};

static struct ledger *load(struct store *s)
{
    struct ledger *l;
    struct store_txn *t;
    char why[512];
    cr_assert_eq(store_begin(s, false, &t), 0);
    cr_assert_eq(ledger_new(t, &l, why, sizeof why), 0, "%s", why);
    store_abort(t);
    return l;
}

static void arm(struct faults *s, const struct attempt *a)
{
    faults_arm(s, a->call, a->err);
    no_memory_arm(a->allocation);
}

static void note(struct faults *s, struct attempt *a, int result)
{
    a->result = result;
    a->failed = a->call ? s->calls >= a->call : no_memory_calls() >= a->allocation;
    a->asked = s->asked;
    no_memory_arm(0);
}

typedef void attempt_fn(struct faults *s, const void *what, struct attempt *a);

/* A ledger of its own, loaded for the purpose, applies the batch; nobody hears of it. */
static void apply(struct faults *s, const void *what, struct attempt *a)
{
    struct ledger *l = load(s->inner);
    struct batch b = *(const struct batch *)what;
    struct store_txn *t;
    b.index = ledger_index(l) + 1;
    cr_assert_eq(store_begin(&s->base, true, &t), 0);
    arm(s, a);
    int err = ledger_apply(l, t, &b);
    bool changed = ledger_changed(l);
    if (!err && changed)
        err = ledger_seal(l, t);
    if (err || !changed)
        store_abort(t);
    else
        err = store_commit(t);
    note(s, a, err);
    ledger_free(l);
}

struct reading {
    struct fixture *f;
    faults_read_fn *read;
    void *context;
};

static void read_once(struct faults *s, const void *what, struct attempt *a)
{
    const struct reading *r = what;
    struct store_txn *t;
    cr_assert_eq(store_begin(&s->base, false, &t), 0);
    arm(s, a);
    int err = r->read(r->f, t, r->context);
    note(s, a, err);
    store_abort(t);
}

/* Places to fail: all up to half of `most`, then ever farther apart. */
static uint64_t next_place(uint64_t n, unsigned most)
{
    return most && n >= most / 2 ? n + 1 + n * 4 / most : n + 1;
}

/* Where each call is several times slower, fewer of them are made to fail. */
#ifdef __SANITIZE_ADDRESS__
#define MOST_PART 4
#else
#define MOST_PART 1
#endif

/* Until it comes to the end without having failed; then it must have gone well. */
static uint64_t try_all(struct faults *s, attempt_fn *try, const void *what, int err, bool memory,
                        unsigned most)
{
    uint64_t failures = 0;
    for (uint64_t n = 1;; n = next_place(n, most), failures++) {
        struct attempt a = {.call = memory ? 0 : n, .err = err, .allocation = memory ? n : 0};
        try(s, what, &a);
        int expected = a.failed ? err : 0;
        /* A page that cannot be read is a message that cannot be read, which alone is shown as one. */
        bool shown = try == read_once && err == SHUNT_CORRUPT && a.result == 0;
        cr_assert(shown || a.result == expected, "%s %llu failed: %s, came out: %s",
                  memory ? "allocation" : "call", (unsigned long long)n, err_name(expected),
                  err_name(a.result));
        if (err != SHUNT_CORRUPT)
            cr_assert_eq(a.asked, 0, "call %llu failed, and %u followed", (unsigned long long)n, a.asked);
        if (!a.failed)
            return failures;
    }
}

static uint64_t try_everything(struct fixture *f, attempt_fn *try, const void *what, unsigned most)
{
    struct faults s;
    uint64_t failures = 0, before = state_hash(f->store);
    faults_init(&s, f->store);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        failures += try_all(&s, try, what, errors[i], false, most);
    failures += try_all(&s, try, what, SHUNT_NO_MEMORY, true, most);
    cr_assert_eq(state_hash(f->store), before, "what failed has left something");
    struct ledger *l = load(f->store);
    ledger_audit(l, f->store);
    ledger_free(l);
    return failures;
}

uint64_t faults_try(struct fixture *f, const struct batch *b, unsigned most)
{
    return try_everything(f, apply, b, most ? most / MOST_PART + 1 : 0);
}

uint64_t faults_try_reading(struct fixture *f, faults_read_fn *read, void *context)
{
    struct reading r = {f, read, context};
    return try_everything(f, read_once, &r, 0);
}
