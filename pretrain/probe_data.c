// Labels of items as classes; the classes are those of the training part, in the order of strcmp.
#include "pretrain/probe_data.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/hash.h"
#include "runtime/mem.h"
#include "runtime/rng.h"

enum { LABEL_BYTES = 512, VALIDATION_FOLDS = 5 };

// --- the class of an item ---------------------------------------------------------------------------

// Into text; false if the item has none.
static bool class_of(const mg_reader *reader, const mg_shard_item *item, char text[LABEL_BYTES])
{
    size_t used = 0;

    text[0] = '\0';
    if (item->depth != 1 || item->type != MG_U8) return false;
    if (item->label[0]) {
        snprintf(text, LABEL_BYTES, "%s", item->label);
        return true;
    }
    if (!item->labelled) return false;
    for (int c = 1; c <= mg_reader_classes(reader) && used < LABEL_BYTES; c++)
        if (item->classes >> (c - 1) & 1)
            used += (size_t)snprintf(text + used, LABEL_BYTES - used, "%s%s", used ? "+" : "",
                                     mg_reader_class_name(reader, c));
    if (!used) snprintf(text, LABEL_BYTES, "none");
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Number of the class of this name, -1 if it is new.
static int find_class(const mg_labelled *d, const char *name)
{
    char **at = bsearch(&name, d->class_name, (size_t)d->classes, sizeof *d->class_name, by_text);
    return at ? (int)(at - d->class_name) : -1;
}

// --- samples ----------------------------------------------------------------------------------------

// Items with a class, at most `most` of them, in their order.
static mg_status choose(mg_labelled *d, mg_labelled_part *p, int64_t most, uint64_t seed, int which)
{
    int64_t have = mg_reader_count(p->reader), kept = 0;
    uint32_t *order = mg_alloc((size_t)(have + 1) * sizeof *order);
    uint64_t *keys = mg_alloc(2 * (size_t)(have + 1) * sizeof *keys);
    uint8_t *wanted = mg_calloc((size_t)have + 1, 1);
    mg_stream stream = {seed, MG_RNG_ORDER, (uint32_t)which, 0};
    char text[LABEL_BYTES];
    mg_status st = MG_OK;

    p->sample = mg_alloc((size_t)(have + 1) * sizeof *p->sample);
    p->label = mg_alloc((size_t)(have + 1) * sizeof *p->label);
    if (!order || !keys || !wanted || !p->sample || !p->label) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a list of %lld pictures", (long long)have);
        goto done;
    }
    mg_rng_order(&stream, (uint32_t)have, order, keys);
    for (int64_t k = 0; k < have && (most == 0 || kept < most); k++) {
        if (class_of(p->reader, mg_reader_item(p->reader, order[k]), text))
            wanted[order[k]] = 1, kept++;
        else
            d->without++;
    }
    for (int64_t i = 0; i < have; i++)
        if (wanted[i]) p->sample[p->count++] = i;

done:
    mg_free(order);
    mg_free(keys);
    mg_free(wanted);
    return st;
}

static mg_status list_classes(mg_labelled *d)
{
    const mg_labelled_part *p = &d->train;
    char text[LABEL_BYTES];
    int64_t kept = 0;

    d->class_name = mg_calloc((size_t)p->count + 1, sizeof *d->class_name);
    MG_CHECK(d->class_name, MG_ERR_MEMORY, "cannot allocate class names");
    for (int64_t i = 0; i < p->count; i++) {
        class_of(p->reader, mg_reader_item(p->reader, p->sample[i]), text);
        d->class_name[i] = mg_strdup(text);
        MG_CHECK(d->class_name[i], MG_ERR_MEMORY, "cannot allocate class names");
    }
    qsort(d->class_name, (size_t)p->count, sizeof *d->class_name, by_text);
    for (int64_t i = 0; i < p->count; i++) {
        char *name = d->class_name[i];
        d->class_name[i] = NULL;
        if (kept && strcmp(name, d->class_name[kept - 1]) == 0)
            mg_free(name);
        else
            d->class_name[kept++] = name;
    }
    d->classes = (int)kept;
    MG_CHECK(kept >= 2, MG_ERR_CONFIG,
             "%lld training pictures have a class (a label or a mask), of %d classes; expected at "
             "least two classes",
             (long long)p->count, d->classes);
    return MG_OK;
}

// Number the labels; test pictures of a class that was never seen are left out.
static void number_labels(mg_labelled *d, mg_labelled_part *p)
{
    char text[LABEL_BYTES];
    int64_t kept = 0;

    for (int64_t i = 0; i < p->count; i++) {
        class_of(p->reader, mg_reader_item(p->reader, p->sample[i]), text);
        int label = find_class(d, text);
        if (label < 0) {
            d->unseen++;
            continue;
        }
        p->sample[kept] = p->sample[i];
        p->label[kept++] = label;
    }
    p->count = kept;
}

// A fifth of the training part's patients. The upper half of the hash: folds of sets without a
// published split may come from the lower one.
static mg_status hold_some(mg_labelled *d)
{
    d->held = mg_calloc((size_t)d->train.count, 1);
    MG_CHECK(d->held, MG_ERR_MEMORY, "cannot allocate a validation part");
    for (int64_t i = 0; i < d->train.count; i++) {
        const mg_shard_item *item = mg_reader_item(d->train.reader, d->train.sample[i]);
        const char *key = item->patient[0] ? item->patient : item->name;
        d->held[i] = (mg_hash64(key, strlen(key)) >> 32) % VALIDATION_FOLDS == 0;
        d->held_count += d->held[i];
    }
    return MG_OK;
}

mg_status mg_labelled_open(const char *const *sets, int count, const char *test_part, int64_t most,
                           uint64_t seed, mg_labelled **out)
{
    mg_labelled *d = mg_calloc(1, sizeof *d);
    mg_status st;

    *out = NULL;
    MG_CHECK(d, MG_ERR_MEMORY, "cannot allocate a labelled data set");
    st = mg_reader_open(sets, count, "train", &d->train.reader);
    if (!st) st = mg_reader_open(sets, count, test_part, &d->test.reader);
    if (!st) st = choose(d, &d->train, most, seed, 0);
    if (!st) st = choose(d, &d->test, most, seed, 1);
    if (!st) st = list_classes(d);
    if (!st) {
        number_labels(d, &d->train);
        number_labels(d, &d->test);
        st = hold_some(d);
    }
    if (!st && d->test.count == 0)
        st = MG_FAIL(MG_ERR_CONFIG,
                     "no picture of part '%s' has a class that the training part names", test_part);
    if (st)
        mg_labelled_close(&d);
    else
        *out = d;
    return st;
}

static void free_part(mg_labelled_part *p)
{
    mg_reader_close(&p->reader);
    mg_free(p->sample);
    mg_free(p->label);
}

void mg_labelled_close(mg_labelled **data)
{
    mg_labelled *d = *data;

    if (!d) return;
    for (int64_t i = 0; d->class_name && i <= d->train.count; i++) mg_free(d->class_name[i]);
    mg_free(d->class_name);
    mg_free(d->held);
    free_part(&d->train);
    free_part(&d->test);
    mg_free(d);
    *data = NULL;
}
