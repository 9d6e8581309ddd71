// The whole of packing: list, cut, what is finished already, shards, index.
// The cut into shards follows from the items alone (a few of them are packed for an estimate of their
// size), so any number of ranks writes the same files. One rank writes a shard.
#include "shard/writer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/mem.h"
#include "runtime/run.h"
#include "shard/index.h"
#include "shard/shard_file.h"
#include "shard/writer_private.h"

enum {
    TRIED_MOST = 16,  // items packed for the estimate:
    TRIED_OF = 64,    // one of this many
    SHARE = 16,       // at least this many shards, so that the work can be shared out,
    SHARE_ITEMS = 32, // as long as each holds this many items
    SHARE_MB = 32,    // or this many MiB
    UNLABELLED_SIDE = 512
};

// --- settings and items to leave out ----------------------------------------------------------------

static int compare_against(const void *a, const void *b)
{
    const mg_against *x = a, *y = b;
    if (x->hash.high != y->hash.high) return x->hash.high < y->hash.high ? -1 : 1;
    if (x->hash.low != y->hash.low) return x->hash.low < y->hash.low ? -1 : 1;
    return x->set - y->set;
}

static mg_status add_against(mg_pack_job *job, int set)
{
    const char *name = job->order->against[set];
    mg_reader *reader = NULL;

    MG_TRY(mg_reader_open(&name, 1, "all", &reader));
    mg_status st = MG_OK;
    int64_t count = mg_reader_count(reader);
    job->against_set[set] = mg_strdup(mg_reader_item(reader, 0)->set);
    mg_against *grown =
        mg_realloc(job->against, (size_t)(job->against_count + count) * sizeof *grown);
    if (grown) job->against = grown;
    if (!grown || !job->against_set[set])
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate hashes of %" PRId64 " items", count);
    for (int64_t i = 0; i < count && !st; i++)
        job->against[job->against_count++] = (mg_against){mg_reader_item(reader, i)->hash, set};
    mg_reader_close(&reader);
    return st;
}

static mg_status load_against(mg_pack_job *job)
{
    int count = job->order->against_count;

    if (count == 0) return MG_OK;
    job->against_set = mg_calloc((size_t)count, sizeof *job->against_set);
    MG_CHECK(job->against_set, MG_ERR_MEMORY, "cannot allocate %d names", count);
    for (int i = 0; i < count; i++) MG_TRY(add_against(job, i));
    qsort(job->against, (size_t)job->against_count, sizeof *job->against, compare_against);
    return MG_OK;
}

// Hash of everything that decides what a shard of given items holds.
static mg_status hash_settings(mg_pack_job *job)
{
    const mg_shard_order *o = job->order;
    uint64_t against = mg_hash64("", 0);

    for (int64_t i = 0; i < job->against_count; i++)
        against = against * 31 + job->against[i].hash.low;
    char *text = mg_sprintf("%d %s %d %d %d %d %d %016" PRIx64 " %s", MG_SHARD_VERSION,
                            o->set->name, o->long_side, o->level, o->trim, o->drop_constant,
                            o->scaled_decode, against, o->config_text);
    MG_CHECK(text, MG_ERR_MEMORY, "cannot allocate the text of the settings");
    mg_hash64_text(mg_hash64(text, strlen(text)), job->settings);
    mg_free(text);
    return MG_OK;
}

static void job_free(mg_pack_job *job)
{
    for (int i = 0; job->against_set && i < job->order->against_count; i++)
        mg_free(job->against_set[i]);
    mg_free(job->against_set);
    mg_free(job->against);
}

// --- the cut ----------------------------------------------------------------------------------------

// Compressed bytes of an item.
static int64_t stored_bytes(const mg_packed_item *item)
{
    int64_t sum = 0;
    for (int p = 0; p < MG_PARTS; p++)
        for (int z = 0; item->part[p].array[0] && z < item->part[p].slices; z++)
            sum += (int64_t)item->part[p].bytes[z];
    return sum;
}

// Pack a few items evenly spaced over the list, shared among the ranks; sum their bytes.
static mg_status try_items(const mg_comm *world, const mg_pack_job *job, int64_t *tried,
                           int64_t *bytes)
{
    mg_status st = MG_OK;
    mg_packed_item item = {0};
    int64_t count = job->list->scan.count, most = (count + TRIED_OF - 1) / TRIED_OF;

    *tried = *bytes = 0;
    if (most > TRIED_MOST) most = TRIED_MOST;
    for (int64_t k = mg_comm_rank(world); k < most && !st; k += mg_comm_size(world)) {
        st = mg_pack_item(job->order, job->list, k * count / most, &item);
        if (st || item.reason[0]) continue;
        ++*tried;
        *bytes += stored_bytes(&item);
    }
    mg_packed_item_free(&item);
    st = mg_comm_agree(world, st);
    if (st) return st;
    *tried = mg_comm_sum_int(world, *tried);
    *bytes = mg_comm_sum_int(world, *bytes);
    return MG_OK;
}

static mg_status choose_shards(const mg_comm *world, const mg_pack_job *job, int64_t *shards)
{
    int64_t count = job->list->scan.count, tried, sum;

    MG_TRY(try_items(world, job, &tried, &sum));
    double bytes = tried ? (double)sum / (double)tried * (double)count : 0;
    int64_t by_size = (int64_t)(bytes / ((double)job->order->size_mb * (1 << 20))) + 1;
    int64_t share_items = (count + SHARE_ITEMS - 1) / SHARE_ITEMS;
    int64_t share_bytes = (int64_t)(bytes / (SHARE_MB * (double)(1 << 20))) + 1;
    int64_t share = share_items > share_bytes ? share_items : share_bytes;
    if (share > SHARE) share = SHARE;
    *shards = by_size > share ? by_size : share;
    if (*shards > count) *shards = count;
    return MG_OK;
}

// --- what is there already --------------------------------------------------------------------------

// A finished set in the folder must be this one.
static mg_status check_index(const mg_pack_job *job)
{
    const char *out = job->order->out;
    char *path = mg_path_join(out, "index.json");
    mg_index *index = NULL;
    mg_status st = MG_OK;

    MG_CHECK(path, MG_ERR_MEMORY, "cannot allocate the name of the index");
    if (mg_path_is_file(path)) st = mg_index_read(out, &index);
    mg_free(path);
    if (st || !index) return st;
    const char *settings = mg_json_text(mg_json_get(index->json, "settings"));
    if (strcmp(index->dataset, job->order->set->name) || !settings ||
        strcmp(settings, job->settings))
        st = MG_FAIL(MG_ERR_CONFIG,
                     "'%s' holds a set of '%s' made with other settings; remove it or choose "
                     "another folder",
                     out, index->dataset);
    mg_index_free(&index);
    return st;
}

// Whether a file is what an earlier call left behind: an unfinished shard, or one too many.
static bool is_stale(const char *file, int64_t shards)
{
    int64_t number;
    int end = 0;

    if (sscanf(file, "%5" SCNd64 ".h5%n", &number, &end) != 1 || end == 0) return false;
    return file[end] ? !strcmp(file + end, ".partial") : number >= shards;
}

// Rank 0: the folder must be empty of other sets; what earlier calls left unfinished goes.
static mg_status prepare_folder(const mg_pack_job *job, int64_t shards)
{
    const char *out = job->order->out;
    mg_texts files = {0};

    MG_TRY(mg_make_dirs(out));
    MG_TRY(check_index(job));
    mg_status st = mg_list_dir(out, NULL, &files, NULL);
    for (size_t i = 0; i < files.count && !st; i++) {
        if (!is_stale(files.item[i], shards)) continue;
        char *stale = mg_path_join(out, files.item[i]);
        st = stale ? mg_remove_tree(stale) : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a name");
        mg_free(stale);
    }
    mg_texts_free(&files);
    return st;
}

// finished[s] of every shard, looked at by the ranks in turn.
static mg_status find_finished(const mg_comm *world, const mg_pack_job *job, int64_t shards,
                               bool *finished)
{
    int size = mg_comm_size(world), rank = mg_comm_rank(world);
    int64_t each = (shards + size - 1) / size, first, last;
    bool *mine = mg_calloc((size_t)each, 1), *all = mg_calloc((size_t)(each * size), 1);
    mg_status st = MG_OK;

    if (!mine || !all)
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a list of %" PRId64 " shards", shards);
    st = mg_comm_agree(world, st);
    if (st) goto done;
    for (int64_t k = 0; k < each; k++) {
        int64_t s = k * size + rank;
        if (s >= shards) break;
        mg_comm_range(job->list->scan.count, (int)s, (int)shards, &first, &last);
        mine[k] = mg_shard_is_finished(job, s, first, last);
    }
    mg_comm_allgather(world, mine, (size_t)each, all);
    for (int64_t s = 0; s < shards; s++) finished[s] = all[(s % size) * each + s / size];

done:
    mg_free(mine);
    mg_free(all);
    return st;
}

// --- the work ---------------------------------------------------------------------------------------

// The unfinished shards in turn among the ranks. `finished` is the same on all.
static mg_status pack_shards(const mg_comm *world, mg_pack_job *job, int64_t shards,
                             const bool *finished)
{
    int64_t turn = 0, first, last, mine = 0;
    int size = mg_comm_size(world), rank = mg_comm_rank(world);

    for (int pass = 0; pass < 2; pass++) { // count, then work
        turn = 0;
        for (int64_t s = 0; s < shards; s++) {
            if (finished[s] || turn++ % size != rank) continue;
            mg_comm_range(job->list->scan.count, (int)s, (int)shards, &first, &last);
            if (pass == 0)
                mine += last - first;
            else
                MG_TRY(mg_shard_pack(job, s, first, last));
        }
        job->total = mine;
    }
    mg_progress_end();
    return MG_OK;
}

static mg_status write_set(const mg_comm *world, mg_pack_job *job, mg_shard_outcome *out)
{
    int64_t shards = 0, ready = 0;
    bool *finished = NULL;
    mg_status st;

    MG_TRY(choose_shards(world, job, &shards));
    st = mg_comm_rank(world) == 0 ? prepare_folder(job, shards) : MG_OK;
    MG_TRY(mg_comm_agree(world, st));
    finished = mg_calloc((size_t)shards + 1, sizeof *finished);
    st = finished ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate %" PRId64 " flags", shards);
    st = mg_comm_agree(world, st);
    if (!st) st = find_finished(world, job, shards, finished);
    if (st) goto done;
    for (int64_t s = 0; s < shards; s++) ready += finished[s];
    if (ready) mg_info("%" PRId64 " of %" PRId64 " shards are finished already", ready, shards);

    st = pack_shards(world, job, shards, finished);
    if (st && st != MG_ERR_STOPPED) goto done; // the caller ends the other ranks
    if (mg_stop_agreed(world)) {
        st = MG_FAIL(MG_ERR_STOPPED, "stopped by a signal; the same command goes on");
        goto done;
    }
    out->packed = mg_comm_sum_int(world, job->done);
    st = mg_comm_rank(world) == 0 ? mg_shard_write_index(job, shards, out) : MG_OK;
    st = mg_comm_agree(world, st);
    int64_t packed = out->packed;
    if (!st) mg_comm_bcast(world, out, sizeof *out, 0);
    out->packed = packed;

done:
    mg_free(finished);
    return st;
}

// What the order leaves to the data set: its long side, or that of unlabelled pictures where it turns
// out to have no masks.
static int usual_long_side(const mg_dataset *set, const mg_scan *scan)
{
    return set->labelled && scan->classes == 0 && set->long_side > UNLABELLED_SIDE ? UNLABELLED_SIDE
                                                                                   : set->long_side;
}

mg_status mg_shard_write(const mg_comm *world, const mg_shard_order *given, mg_shard_outcome *out)
{
    mg_shared_scan list = {0};
    mg_shard_order order = *given;
    mg_pack_job job = {.order = &order, .list = &list};

    memset(out, 0, sizeof *out);
    mg_status st = load_against(&job);
    st = mg_comm_agree(world, st);
    if (!st) st = mg_scan_share(world, order.set, order.root, order.config, &list);
    if (st) goto done;
    if (order.long_side < 0) order.long_side = usual_long_side(order.set, &list.scan);
    st = mg_comm_agree(world, hash_settings(&job));
    if (!st) st = write_set(world, &job, out);

done:
    mg_shared_scan_free(&list);
    job_free(&job);
    return st;
}
