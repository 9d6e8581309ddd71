// medgraft phantom: synthetic data sets ("digital phantoms") in the exact layout of the real ones,
// from a seed. Each rank draws a contiguous range of items; a file's contents depend on the seed and
// the item's number only.
#include <string.h>

#include "datasets/cmd.h"
#include "datasets/dataset.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"
#include "runtime/run.h"

typedef struct {
    char *dataset, *out, *layout;
    int64_t count, seed, size;
    bool defects;
} settings;

// clang-format off
static const mg_option options[] = {
    {"phantom.dataset", MG_TEXT, offsetof(settings, dataset), "", 0, 0, "data set to imitate", NULL},
    {"phantom.out", MG_TEXT, offsetof(settings, out), "", 0, 0, "folder to write", NULL},
    {"phantom.count", MG_INT, offsetof(settings, count), "100", 1, 1e9, "pictures", NULL},
    {"phantom.seed", MG_INT, offsetof(settings, seed), "0", 0, 1e15, "what all drawing depends on", NULL},
    {"phantom.size", MG_INT, offsetof(settings, size), "0", 0, 8192, "long side in pixels; 0: the data set's usual one", NULL},
    {"phantom.layout", MG_TEXT, offsetof(settings, layout), "", 0, 0, "tree of the files, where a data set has several: as its own setting of that name says (refuge, riga)", NULL},
    {"phantom.defects", MG_BOOL, offsetof(settings, defects), "false", 0, 0, "also plant the defects that the real data set has", NULL},
    {0},
};
// clang-format on

int mg_cmd_phantom_options(mg_option_group *groups, int room)
{
    (void)room;
    groups[0] = (mg_option_group){options, NULL};
    return 1;
}

static mg_status fail_unknown(const char *name)
{
    char list[1024] = "";
    for (int i = 0; mg_dataset_at(i); i++) {
        size_t used = strlen(list);
        if (mg_dataset_at(i)->phantom)
            snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "",
                     mg_dataset_at(i)->name);
    }
    return MG_FAIL(MG_ERR_CONFIG, "no phantom '%s'; there are: %s", name, list);
}

// Is the word one of "a|b|c" (NULL: none)?
static bool is_listed(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; p && *p; p += strcspn(p, "|"), p += *p == '|')
        if (strcspn(p, "|") == n && !strncmp(p, word, n)) return true;
    return false;
}

static mg_status write_range(const mg_args *args, const settings *cfg, mg_phantom_report *report)
{
    const mg_dataset *set = mg_dataset_find(cfg->dataset);
    mg_phantom_order order = {.out = cfg->out,
                              .count = cfg->count,
                              .seed = (uint64_t)cfg->seed,
                              .defects = cfg->defects,
                              .size = (int)cfg->size,
                              .layout = *cfg->layout ? cfg->layout : NULL,
                              .report = report};

    if (!set || !set->phantom) return fail_unknown(cfg->dataset);
    MG_CHECK(!order.layout || is_listed(set->layouts, order.layout), MG_ERR_CONFIG,
             "no layout '%s' of phantom '%s'; there %s: %s", order.layout, cfg->dataset,
             set->layouts ? "are" : "is", set->layouts ? set->layouts : "one alone");
    MG_CHECK(*cfg->out, MG_ERR_CONFIG, "phantom.out is not set: where to write the data set");
    MG_CHECK(!cfg->size || cfg->size >= 16, MG_ERR_CONFIG,
             "phantom.size is %lld; expected 0 or at least 16", (long long)cfg->size);
    mg_comm_range(cfg->count, mg_comm_rank(args->world), mg_comm_size(args->world), &order.lo,
                  &order.hi);
    MG_TRY(mg_make_dirs(cfg->out));
    return set->phantom(&order);
}

// A mark by which packing, and everything after it, knows that no patient is behind the pictures.
static mg_status leave_mark(const mg_comm *world, const settings *cfg)
{
    mg_status st = MG_OK;

    if (mg_comm_rank(world) == 0) {
        char *path = mg_path_join(cfg->out, "PHANTOM");
        char *text = mg_sprintf("synthetic data made by: %s\n", mg_command_line());
        st = path && text ? mg_write_file(path, text, strlen(text))
                          : MG_FAIL(MG_ERR_MEMORY, "cannot allocate the mark of a phantom");
        mg_free(path), mg_free(text);
    }
    return mg_comm_agree(world, st);
}

mg_status mg_cmd_phantom(const mg_args *args)
{
    settings cfg;
    mg_option_group group = {options, &cfg};
    mg_phantom_report report = {0};
    double start = mg_now();

    MG_TRY(mg_args_load(args, &group, 1));
    mg_status st = mg_comm_agree(args->world, write_range(args, &cfg, &report));
    if (!st) st = leave_mark(args->world, &cfg);
    if (!st) {
        for (size_t i = 0; i < report.planted.count; i++)
            mg_info("planted %s", report.planted.item[i]);
        mg_info("phantom %s pictures %lld unreadable %lld out '%s' seconds %.1f", cfg.dataset,
                (long long)report.items, (long long)report.unreadable, cfg.out, mg_now() - start);
    }
    mg_texts_free(&report.planted);
    mg_config_free(&group, 1);
    return st;
}
