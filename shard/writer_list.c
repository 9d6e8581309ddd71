// The list of items that all ranks share: found by rank 0 alone, so that no folder is listed twice,
// sent as one block of texts; and the folds of items without a published split (datasets.md rule 10).
#include <stdlib.h>
#include <string.h>

#include "runtime/mem.h"
#include "shard/writer_private.h"

enum { TEXTS = 9 };

// The texts of an item in the order they are sent.
static char **text_of(mg_item *item, int k)
{
    char **const text[TEXTS] = {&item->name,     &item->image, &item->mask,
                                &item->patient,  &item->split, &item->stratum,
                                &item->modality, &item->label, &item->extra};
    return text[k];
}

static const char no_text[] = "\x01"; // stands for NULL (an item without a mask)

// --- scanning and sending ---------------------------------------------------------------------------

static mg_status pack_texts(mg_scan *scan, mg_pool *texts)
{
    for (int64_t i = 0; i < scan->count; i++)
        for (int k = 0; k < TEXTS; k++) {
            const char *text = *text_of(&scan->item[i], k);
            MG_TRY(mg_pool_add(texts, text ? text : no_text));
        }
    return MG_OK;
}

// Rank 0: scan, turn the items into one block, keep the lists of texts.
static mg_status scan_root(const mg_shard_order *order, mg_pack_list *list)
{
    mg_scan scan = {0};

    mg_status st = order->set->scan(order->root, order->config, &scan);
    if (st) goto done;
    mg_scan_sort(&scan);
    st = pack_texts(&scan, &list->texts);
    if (st) goto done;
    list->scan.count = scan.count;
    list->scan.classes = scan.classes;
    memcpy(list->scan.class_name, scan.class_name, sizeof scan.class_name);
    list->skipped = scan.skipped;
    list->notes = scan.notes;
    scan.skipped = scan.notes = (mg_texts){0};

done:
    mg_scan_free(&scan);
    return st;
}

static mg_status receive(const mg_comm *world, mg_pack_list *list)
{
    mg_status st = MG_OK;

    if (!list->texts.bytes) {
        list->texts.bytes = mg_alloc(list->texts.used + 1);
        list->texts.room = list->texts.used;
    }
    if (!list->texts.bytes)
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu bytes of names", list->texts.used);
    st = mg_comm_agree(world, st);
    if (!st) mg_comm_bcast(world, list->texts.bytes, list->texts.used, 0);
    return st;
}

static mg_status place_items(mg_pack_list *list)
{
    char *text = list->texts.bytes;
    int64_t count = list->scan.count;

    list->scan.item = mg_calloc((size_t)count + 1, sizeof *list->scan.item);
    MG_CHECK(list->scan.item, MG_ERR_MEMORY, "cannot allocate a list of %lld items",
             (long long)count);
    list->scan.room = count;
    for (int64_t i = 0; i < count; i++)
        for (int k = 0; k < TEXTS; k++, text += strlen(text) + 1)
            *text_of(&list->scan.item[i], k) = strcmp(text, no_text) ? text : NULL;
    return MG_OK;
}

mg_status mg_pack_list_make(const mg_comm *world, const mg_shard_order *order, mg_pack_list *list)
{
    mg_status st = MG_OK;
    struct {
        int64_t count;
        uint64_t bytes;
        int classes;
        char class_name[MG_MAX_CLASSES][48];
    } head;

    *list = (mg_pack_list){0};
    memset(&head, 0, sizeof head);
    if (mg_comm_rank(world) == 0) st = scan_root(order, list);
    st = mg_comm_agree(world, st);
    if (st) goto done;
    head.count = list->scan.count;
    head.bytes = list->texts.used;
    head.classes = list->scan.classes;
    memcpy(head.class_name, list->scan.class_name, sizeof head.class_name);
    mg_comm_bcast(world, &head, sizeof head, 0);
    list->scan.count = head.count;
    list->scan.classes = head.classes;
    list->texts.used = head.bytes;
    memcpy(list->scan.class_name, head.class_name, sizeof head.class_name);
    st = receive(world, list);
    if (st) goto done;
    st = place_items(list);
    if (!st) st = mg_pack_list_folds(list);
    st = mg_comm_agree(world, st);

done:
    if (st) mg_pack_list_free(list);
    return st;
}

void mg_pack_list_free(mg_pack_list *list)
{
    mg_free(list->scan.item);
    mg_pool_free(&list->texts);
    mg_free(list->fold);
    mg_texts_free(&list->skipped);
    mg_texts_free(&list->notes);
    *list = (mg_pack_list){0};
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

static mg_status deal_strata(mg_pack_list *list)
{
    int64_t n = list->scan.count;
    keyed *key = mg_alloc((size_t)(n + 1) * sizeof *key);

    MG_CHECK(key, MG_ERR_MEMORY, "cannot allocate a list of %lld patients", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        const mg_item *item = &list->scan.item[i];
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
        list->fold[key[i].item] = turn % MG_FOLDS;
    }
    mg_free(key);
    return MG_OK;
}

mg_status mg_pack_list_folds(mg_pack_list *list)
{
    int64_t n = list->scan.count;
    bool strata = false;

    list->fold = mg_alloc((size_t)(n + 1) * sizeof *list->fold);
    MG_CHECK(list->fold, MG_ERR_MEMORY, "cannot allocate folds of %lld items", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        list->fold[i] = mg_dataset_fold(list->scan.item[i].patient, MG_FOLDS);
        strata = strata || *list->scan.item[i].stratum;
    }
    return strata ? deal_strata(list) : MG_OK;
}

uint64_t mg_pack_list_hash(const mg_pack_list *list, int64_t first, int64_t last)
{
    const char *from = list->texts.bytes, *end = from + list->texts.used;
    uint64_t part[3];

    // The texts of a range lie together.
    if (last < list->scan.count) end = list->scan.item[last].name;
    if (first < list->scan.count) from = list->scan.item[first].name;
    part[0] = mg_hash64(from, (size_t)(end - from));
    part[1] = mg_hash64(list->fold + first, (size_t)(last - first) * sizeof *list->fold);
    part[2] = (uint64_t)first;
    return mg_hash64(part, sizeof part);
}
