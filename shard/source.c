// Opening the sets of a configuration and fetching single pictures from them.
#include "shard/source.h"

#include <stdio.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/mem.h"

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
