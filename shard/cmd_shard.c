// medgraft shard: packs one raw data set into a shard set (docs/formats.md, "Shard sets").
// Its own settings are the section `shard`; each data set has a section of its own name.
#include <inttypes.h>
#include <omp.h>
#include <string.h>

#include "datasets/sections.h"
#include "runtime/log.h"
#include "runtime/mem.h"
#include "shard/cmd.h"
#include "shard/writer.h"

typedef struct {
    char *dataset, *root, *out;
    int64_t long_side, size_mb, level;
    bool trim, drop_constant, scaled_decode;
    mg_list against;
} settings;

// clang-format off
static const mg_option options[] = {
    {"shard.dataset", MG_TEXT, offsetof(settings, dataset), "", 0, 0, "which data set it is", NULL},
    {"shard.root", MG_TEXT, offsetof(settings, root), "", 0, 0, "folder of the raw data", NULL},
    {"shard.out", MG_TEXT, offsetof(settings, out), "", 0, 0, "folder of the shard set", NULL},
    {"shard.long_side", MG_INT, offsetof(settings, long_side), "-1", -1, 65535, "larger pictures are shrunk to this long side; 0 keeps their size, -1 is the data set's own choice", NULL},
    {"shard.size_mb", MG_INT, offsetof(settings, size_mb), "1024", 1, 65536, "size of a shard, about; small sets are cut finer", NULL},
    {"shard.level", MG_INT, offsetof(settings, level), "3", 1, 19, "zstd level", NULL},
    {"shard.trim", MG_BOOL, offsetof(settings, trim), "false", 0, 0, "cut constant borders off unlabelled pictures", NULL},
    {"shard.drop_constant", MG_BOOL, offsetof(settings, drop_constant), "true", 0, 0, "leave out pictures whose pixels are all equal", NULL},
    {"shard.scaled_decode", MG_BOOL, offsetof(settings, scaled_decode), "true", 0, 0, "decode large JPEGs at 1/2, 1/4 or 1/8 where they are shrunk anyway (unlabelled sets; changes pixels and hashes)", NULL},
    {"shard.against", MG_LIST, offsetof(settings, against), "", 0, 0, "shard sets whose items are left out, e.g. test sets; everything is then decoded in full", NULL},
    {0},
};
// clang-format on

int mg_cmd_shard_options(mg_option_group *groups, int room)
{
    mg_sections s;

    mg_sections_list(&s, options, NULL);
    for (int i = 0; i < s.count && i < room; i++) groups[i] = s.group[i];
    return s.count < room ? s.count : room;
}

static mg_shard_order make_order(const settings *cfg, const mg_dataset *set)
{
    return (mg_shard_order){
        .set = set,
        .config_text = "",
        .root = cfg->root,
        .out = cfg->out,
        .long_side = (int)cfg->long_side,
        .size_mb = cfg->size_mb,
        .level = (int)cfg->level,
        .threads = omp_get_max_threads(),
        .trim = cfg->trim,
        .drop_constant = cfg->drop_constant,
        .scaled_decode = cfg->scaled_decode,
        .against = (const char *const *)cfg->against.item,
        .against_count = cfg->against.count,
    };
}

// Collective on `world`: memory is that of the rank that took most.
static void print_outcome(const mg_comm *world, const mg_shard_order *order,
                          const mg_shard_outcome *o, double seconds)
{
    int64_t peak = mg_comm_max(world, (int64_t)mg_mem_peak_rss());

    mg_info("shard %s items %" PRId64 " skipped %" PRId64 " duplicates %" PRId64 " against %" PRId64
            " shards %" PRId64 " mb %.1f content %s",
            order->set->name, o->items, o->skipped, o->duplicates, o->against, o->shards,
            (double)o->bytes / 1e6, o->content);
    mg_info("packed %" PRId64 " seconds %.1f items_per_s %.1f peak_mb %.0f", o->packed, seconds,
            seconds > 0 ? (double)o->packed / seconds : 0, (double)peak / 1e6);
}

static mg_status run(const mg_args *args, const settings *cfg, const mg_sections *s)
{
    const mg_dataset *set;
    mg_shard_outcome outcome;
    double start = mg_now();

    MG_TRY(mg_sections_find("shard.dataset", cfg->dataset, &set));
    MG_CHECK(*cfg->root, MG_ERR_CONFIG, "shard.root is not set: where the raw data lies");
    MG_CHECK(*cfg->out, MG_ERR_CONFIG, "shard.out is not set: where to write the shard set");
    mg_shard_order order = make_order(cfg, set);
    char *text = mg_sections_echo(s, set);
    MG_CHECK(text, MG_ERR_MEMORY, "cannot allocate the text of the settings");
    order.config = mg_sections_config(s, set);
    order.config_text = text;
    mg_status st = mg_shard_write(args->world, &order, &outcome);
    if (!st) print_outcome(args->world, &order, &outcome, mg_now() - start);
    mg_free(text);
    return st;
}

mg_status mg_cmd_shard(const mg_args *args)
{
    settings cfg;
    mg_sections s;

    mg_sections_list(&s, options, &cfg);
    MG_TRY(mg_sections_load(args, &s));
    mg_status st = run(args, &cfg, &s);
    mg_sections_free(&s);
    return st;
}
