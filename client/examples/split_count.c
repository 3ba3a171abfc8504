/* split_count: a key that is too hot for one handler at a time is split; each part is counted by itself, and
 * a reader adds the parts up.
 *
 *   split_count publish TOPIC KEY PARTS COUNT    COUNT messages of KEY, in PARTS parts
 *   split_count count TOPIC                      count what is there, then print each key and its sum
 *
 * The topic is made with `shunt topic create TOPIC --order key`: messages of one part come one at a time, so
 * its counter needs no lock, and several `split_count count` can work beside each other. A real program would
 * keep a counter for each part where it keeps its data, and add them up when somebody asks; this one keeps them
 * in memory. Exit status: 0 done, 1 an error, 64 usage.
 */
#include <shunt.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX      1000
#define KEY_BYTES_MAX 256
#define WAIT_MS       10000

struct counter {
    char key[KEY_BYTES_MAX + 1]; /* of the part: `KEY#3` */
    char base[KEY_BYTES_MAX + 1];
    unsigned long count;
};

struct counters {
    struct counter of[KEYS_MAX];
    size_t used;
};

static void copy(char *to, const void *bytes, size_t count)
{
    memcpy(to, bytes, count);
    to[count] = '\0';
}

static struct counter *find(struct counters *all, const char *key)
{
    size_t i;

    for (i = 0; i < all->used; i++) {
        if (strcmp(all->of[i].key, key) == 0)
            return &all->of[i];
    }
    return NULL;
}

/* One counter for each part. */
static enum shunt_outcome on_message(void *context, const struct shunt_delivery *d, struct shunt_verdict *v)
{
    struct counters *all = (struct counters *)context;
    struct shunt_failure failure = {"not_counted", "it has no key, or there are too many keys", NULL, NULL};
    char name[KEY_BYTES_MAX + 1];
    size_t bytes;
    const void *key = shunt_delivery_key(d, &bytes);
    struct counter *c;

    if (key) {
        copy(name, key, bytes); /* a key has at most 256 bytes */
        c = find(all, name);
        if (!c && all->used < KEYS_MAX) {
            c = &all->of[all->used++];
            strcpy(c->key, name);
            key = shunt_delivery_base_key(d, &bytes);
            copy(c->base, key, bytes);
            c->count = 0;
        }
        if (c) {
            c->count++;
            return SHUNT_ACK;
        }
    }
    shunt_verdict_failure(v, &failure);
    return SHUNT_REJECT;
}

/* What a reader does: the parts of a key belong together. */
static void add_up(struct counters *all)
{
    size_t i, j;

    for (i = 0; i < all->used; i++) {
        unsigned long sum = 0, parts = 0;

        if (all->of[i].count == 0)
            continue; /* it was added to one before */
        for (j = i; j < all->used; j++) {
            if (strcmp(all->of[j].base, all->of[i].base) == 0) {
                sum += all->of[j].count;
                parts++;
                if (j > i)
                    all->of[j].count = 0;
            }
        }
        printf("%s: %lu in %lu part%s\n", all->of[i].base, sum, parts, parts == 1 ? "" : "s");
    }
}

static int count(struct shunt *s, const char *topic, struct shunt_error *err)
{
    static struct counters all;
    struct shunt_options *options = shunt_options_new();
    int code;

    err->text[0] = '\0';
    code = !options ? SHUNT_NO_MEMORY : shunt_options_set(options, "drain", "yes");
    if (code == 0)
        code = shunt_worker_run(s, topic, "default", options, on_message, &all, err);
    shunt_options_free(options);
    if (code == 0)
        add_up(&all);
    return code;
}

static int publish(struct shunt *s, char **words, struct shunt_error *err)
{
    struct shunt_message *m = shunt_message_new();
    unsigned long parts = strtoul(words[2], NULL, 10), left = strtoul(words[3], NULL, 10);
    int code = !m ? SHUNT_NO_MEMORY : shunt_message_key(m, words[1], strlen(words[1]));

    err->text[0] = '\0';
    while (code == 0 && left-- > 0) {
        code = shunt_message_split(m, (uint32_t)parts, left); /* a counter fills the parts evenly */
        if (code == 0)
            code = shunt_publish(s, words[0], m, WAIT_MS, NULL, err);
    }
    shunt_message_free(m);
    return code;
}

int main(int argc, char **argv)
{
    int publishes = argc == 6 && strcmp(argv[1], "publish") == 0;
    struct shunt *s;
    struct shunt_error err;
    int code;

    if (!publishes && (argc != 3 || strcmp(argv[1], "count") != 0)) {
        fprintf(stderr, "usage: split_count publish TOPIC KEY PARTS COUNT | split_count count TOPIC\n");
        return 64;
    }
    if (shunt_open(getenv("SHUNT_URL"), NULL, &s, &err) != 0) {
        fprintf(stderr, "split_count: %s\n", err.text);
        return 1;
    }
    code = publishes ? publish(s, argv + 2, &err) : count(s, argv[2], &err);
    if (code != 0)
        fprintf(stderr, "split_count: %s\n", err.text[0] != '\0' ? err.text : shunt_error_text(code));
    shunt_close(s, WAIT_MS);
    return code == 0 ? 0 : 1;
}
