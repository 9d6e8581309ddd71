// Opening the sets of a configuration and fetching single pictures from them.
#include "shard/source.h"

#include <stdio.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/mem.h"
#include "shard/levels.h"

mg_status mg_source_open(const mg_comm *world, const mg_source_config *c, mg_reader **out)
{
    mg_status st = MG_OK;

    *out = NULL;
    if (c->sets.count == 0)
        st = MG_FAIL(MG_ERR_CONFIG, "data.sets is empty, expected at least one shard set");
    else
        st = mg_reader_open((const char *const *)c->sets.item, c->sets.count, c->part, out);
    st = mg_comm_agree(world, st);
    if (st) {
        mg_reader_close(out);
        return st;
    }
    mg_info("data sets %d part %s items %lld duplicates_left_out %lld", c->sets.count, c->part,
            (long long)mg_reader_count(*out), (long long)mg_reader_left_out(*out));
    return MG_OK;
}

void mg_source_note(const mg_reader *reader, mg_run *run)
{
    char text[17];

    snprintf(text, sizeof text, "%016llx", (unsigned long long)mg_reader_content(reader));
    mg_run_input(run, "data.sets", text);
}

mg_status mg_source_picture(const mg_reader *reader, int64_t sample, uint8_t **pixels)
{
    const mg_shard_item *item = mg_reader_item(reader, sample);
    size_t bytes = (size_t)item->height * item->width * item->channels;

    MG_CHECK(item->type == MG_U8 && item->depth == 1, MG_ERR_CONFIG,
             "'%s' of set '%s' holds %s values in %d slices, expected an 8-bit picture", item->name,
             item->set, mg_dtype_name(item->type), item->depth);
    *pixels = mg_alloc(bytes);
    MG_CHECK(*pixels, MG_ERR_MEMORY, "cannot allocate %zu bytes for a picture", bytes);
    mg_status st = mg_reader_read(reader, sample, 0, 1, *pixels, NULL);
    if (st) {
        mg_free(*pixels);
        *pixels = NULL;
    }
    return st;
}

// --- slices of volumes ------------------------------------------------------------------------------

// What turns the values of an item into a model's input.
static mg_levels levels_of(const mg_shard_item *item, const double *window)
{
    const mg_shard_volume *v = item->volume;
    mg_levels l = {.type = item->type,
                   .channels = item->channels,
                   .range = v ? v->range : NULL,
                   .ct = !strcmp(item->modality, "CT"),
                   .window = window};

    for (int k = 0; k < 3; k++) l.input[k] = v ? v->input[k] : k < item->channels ? k : 0;
    return l;
}

mg_status mg_source_slices(const mg_reader *reader, int64_t sample, int z0, int slices,
                           const double window[2], uint8_t *out)
{
    const mg_shard_item *item = mg_reader_item(reader, sample);
    size_t cells = (size_t)slices * (size_t)item->height * (size_t)item->width;
    size_t channels = (size_t)item->channels;
    void *pixels = mg_alloc(cells * channels * mg_dtype_size(item->type));

    MG_CHECK(pixels, MG_ERR_MEMORY, "cannot allocate %d slices of %d x %d", slices, item->height,
             item->width);
    mg_status st = mg_reader_read(reader, sample, z0, slices, pixels, NULL);
    if (!st) {
        mg_levels levels = levels_of(item, window);
        mg_levels_apply(&levels, pixels, cells, out);
    }
    mg_free(pixels);
    return st;
}

char *mg_source_names(const mg_reader *reader, const int64_t *samples, int64_t count, int most)
{
    char *text = mg_strdup("");

    for (int64_t i = 0; i < count && text; i++) {
        const mg_shard_item *item = mg_reader_item(reader, samples[i]);
        bool last = i + 1 == most && i + 1 < count;
        char *longer = mg_sprintf("%s%s'%s/%s'%s", text, i ? ", " : "", item->set, item->name,
                                  last ? ", ..." : "");
        mg_free(text);
        text = longer;
        if (last) break;
    }
    return text;
}
