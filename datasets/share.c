// One scan for all ranks; see share.h.
#include "datasets/share.h"

#include <stdlib.h>
#include <string.h>

#include "datasets/scan.h"
#include "runtime/mem.h"

// --- sending ----------------------------------------------------------------------------------------
// An item is sent as MG_ITEM_FIELDS marks, one for each of its texts, and behind them the texts that are
// marked TEXT. Names of a million pictures differ; most other texts are those of the item before.

enum { NONE = '0', NAME = 'n', BEFORE = '=', TEXT = 't' };

// `before` is the item before, NULL for the first one.
static char mark_of(mg_item *item, mg_item *before, int field)
{
    const char *text = *mg_item_text(item, field);

    if (!text) return NONE;
    if (field && !strcmp(text, item->name)) return NAME;
    const char *other = before ? *mg_item_text(before, field) : NULL;
    return other && !strcmp(text, other) ? BEFORE : TEXT;
}

// Bytes of an item as sent; written to `to` unless that is NULL.
static size_t pack_item(mg_item *item, mg_item *before, char *to)
{
    size_t bytes = MG_ITEM_FIELDS;

    for (int k = 0; k < MG_ITEM_FIELDS; k++) {
        char mark = mark_of(item, before, k);
        if (to) to[k] = mark;
        if (mark != TEXT) continue;
        const char *text = *mg_item_text(item, k);
        size_t size = strlen(text) + 1;
        if (to) memcpy(to + bytes, text, size);
        bytes += size;
    }
    return bytes;
}

static mg_status pack_texts(mg_scan *scan, mg_shared_scan *out)
{
    mg_item *item = scan->item;
    size_t at = 0;

    for (int64_t i = 0; i < scan->count; i++)
        out->bytes += pack_item(&item[i], i ? &item[i - 1] : NULL, NULL);
    out->texts = mg_alloc(out->bytes + 1);
    MG_CHECK(out->texts, MG_ERR_MEMORY, "cannot allocate %zu bytes of names", out->bytes);
    for (int64_t i = 0; i < scan->count; i++)
        at += pack_item(&item[i], i ? &item[i - 1] : NULL, out->texts + at);
    return MG_OK;
}

// Rank 0: scan, turn the items into one block, keep the lists of texts.
static mg_status scan_root(const mg_dataset *set, const char *root, const void *config,
                           mg_shared_scan *out)
{
    mg_scan scan = {0};

    mg_status st = set->scan(root, config, &scan);
    if (!st) {
        mg_scan_sort(&scan);
        st = pack_texts(&scan, out);
    }
    if (!st) {
        out->scan.count = scan.count;
        out->scan.classes = scan.classes;
        memcpy(out->scan.class_name, scan.class_name, sizeof scan.class_name);
        out->scan.skipped = scan.skipped;
        out->scan.notes = scan.notes;
        scan.skipped = scan.notes = (mg_texts){0};
    }
    mg_scan_free(&scan);
    return st;
}

static mg_status receive(const mg_comm *world, mg_shared_scan *out)
{
    struct {
        int64_t count;
        uint64_t bytes;
        int classes;
        char class_name[MG_MAX_CLASSES][48];
    } head;
    mg_status st = MG_OK;

    memset(&head, 0, sizeof head);
    head.count = out->scan.count;
    head.bytes = out->bytes;
    head.classes = out->scan.classes;
    memcpy(head.class_name, out->scan.class_name, sizeof head.class_name);
    mg_comm_bcast(world, &head, sizeof head, 0);
    out->scan.count = head.count;
    out->scan.classes = head.classes;
    out->bytes = head.bytes;
    memcpy(out->scan.class_name, head.class_name, sizeof head.class_name);
    if (!out->texts) out->texts = mg_alloc(out->bytes + 1);
    if (!out->texts) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu bytes of names", out->bytes);
    st = mg_comm_agree(world, st);
    if (!st) mg_comm_bcast(world, out->texts, out->bytes, 0);
    return st;
}

// Point the texts of an item into the block; returns what lies behind them.
static char *place_item(mg_item *item, mg_item *before, char *from)
{
    char *text = from + MG_ITEM_FIELDS;

    for (int k = 0; k < MG_ITEM_FIELDS; k++) {
        char **to = mg_item_text(item, k);
        *to = from[k] == NAME ? item->name : from[k] == BEFORE ? *mg_item_text(before, k) : NULL;
        if (from[k] != TEXT) continue;
        *to = text;
        text += strlen(text) + 1;
    }
    return text;
}

static mg_status place_items(mg_shared_scan *out)
{
    char *from = out->texts;
    int64_t count = out->scan.count;

    out->scan.item = mg_calloc((size_t)count + 1, sizeof *out->scan.item);
    MG_CHECK(out->scan.item, MG_ERR_MEMORY, "cannot allocate a list of %lld items",
             (long long)count);
    out->scan.room = count;
    for (int64_t i = 0; i < count; i++)
        from = place_item(&out->scan.item[i], i ? &out->scan.item[i - 1] : NULL, from);
    return MG_OK;
}

mg_status mg_scan_share(const mg_comm *world, const mg_dataset *set, const char *root,
                        const void *config, mg_shared_scan *out)
{
    *out = (mg_shared_scan){0};
    mg_status st = mg_comm_rank(world) == 0 ? scan_root(set, root, config, out) : MG_OK;
    st = mg_comm_agree(world, st);
    if (!st) st = receive(world, out);
    if (!st) {
        st = place_items(out);
        if (!st) st = mg_scan_folds(&out->scan, &out->fold);
        st = mg_comm_agree(world, st);
    }
    if (st) mg_shared_scan_free(out);
    return st;
}

void mg_shared_scan_free(mg_shared_scan *s)
{
    mg_free(s->scan.item);
    mg_free(s->texts);
    mg_free(s->fold);
    mg_texts_free(&s->scan.skipped);
    mg_texts_free(&s->scan.notes);
    *s = (mg_shared_scan){0};
}

// --- folds ------------------------------------------------------------------------------------------

// A patient of a stratum, with the items that are its.
typedef struct {
    const char *stratum, *patient;
    uint64_t hash;
    int64_t item;
} keyed;

static int by_patient(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    int order = strcmp(x->patient, y->patient);
    return order ? order : x->item < y->item ? -1 : 1;
}

static int by_stratum(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    int order = strcmp(x->stratum, y->stratum);
    if (order) return order;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    order = strcmp(x->patient, y->patient);
    return order ? order : x->item < y->item ? -1 : 1;
}

static mg_status deal_strata(const mg_scan *scan, int32_t *fold)
{
    int64_t n = scan->count;
    keyed *key = mg_alloc((size_t)(n + 1) * sizeof *key);

    MG_CHECK(key, MG_ERR_MEMORY, "cannot allocate a list of %lld patients", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        const mg_item *item = &scan->item[i];
        key[i] = (keyed){item->stratum, item->patient,
                         mg_hash64(item->patient, strlen(item->patient)), i};
    }
    // A patient whose items name several strata belongs to that of the first item.
    qsort(key, (size_t)n, sizeof *key, by_patient);
    for (int64_t i = 1; i < n; i++)
        if (!strcmp(key[i].patient, key[i - 1].patient)) key[i].stratum = key[i - 1].stratum;
    qsort(key, (size_t)n, sizeof *key, by_stratum);
    int turn = -1;
    for (int64_t i = 0; i < n; i++) {
        bool new_stratum = i == 0 || strcmp(key[i].stratum, key[i - 1].stratum);
        if (new_stratum)
            turn = 0;
        else if (strcmp(key[i].patient, key[i - 1].patient))
            turn++;
        fold[key[i].item] = turn % MG_FOLDS;
    }
    mg_free(key);
    return MG_OK;
}

mg_status mg_scan_folds(const mg_scan *scan, int32_t **fold)
{
    int64_t n = scan->count;
    bool strata = false;

    *fold = mg_alloc((size_t)(n + 1) * sizeof **fold);
    MG_CHECK(*fold, MG_ERR_MEMORY, "cannot allocate folds of %lld items", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        (*fold)[i] = mg_dataset_fold(scan->item[i].patient, MG_FOLDS);
        strata = strata || *scan->item[i].stratum;
    }
    return strata ? deal_strata(scan, *fold) : MG_OK;
}
