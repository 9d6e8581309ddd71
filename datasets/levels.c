// Masks of three levels; see levels.h.
#include "datasets/levels.h"

#include <string.h>

#include "datasets/decode.h"
#include "datasets/sample.h"
#include "datasets/scan.h"
#include "runtime/mem.h"

enum { LEVELS = 3, ASKED = 16 };

// Level of background, rim and cup by polarity.
static const uint8_t level_of[][LEVELS] = {[MG_CUP_RIM_BACKGROUND] = {2, 1, 0},
                                           [MG_BACKGROUND_RIM_CUP] = {0, 1, 2},
                                           [MG_BACKGROUND_CUP_RIM] = {0, 2, 1}};
static const char *const names[] = {"open", "cup-rim-background", "background-rim-cup",
                                    "background-cup-rim"};

const char *mg_polarity_name(mg_polarity polarity)
{
    return names[polarity];
}

mg_polarity mg_polarity_named(const char *name)
{
    for (mg_polarity p = MG_CUP_RIM_BACKGROUND; p <= MG_BACKGROUND_CUP_RIM; p++)
        if (!strcmp(names[p], name)) return p;
    return MG_POLARITY_OPEN;
}

void mg_levels_free(mg_levels *levels)
{
    mg_free(levels->level);
    *levels = (mg_levels){0};
}

static mg_status take_levels(const char *path, mg_picture *p, mg_levels *out)
{
    size_t cells = (size_t)p->height * p->width;
    uint8_t *v = p->pixels;
    int top = 0;

    mg_picture_to_8bit(p);
    for (size_t i = 0; i < cells; i++)
        if (v[i] > top) top = v[i];
    for (size_t i = 0; i < cells; i++) {
        if (top > 2)
            v[i] = v[i] < 64 ? MG_LEVEL_LOW : v[i] <= 191 ? MG_LEVEL_MIDDLE : MG_LEVEL_HIGH;
        out->present |= 1u << v[i];
    }
    bool single = !(out->present & (out->present - 1));
    MG_CHECK(!single, MG_ERR_FORMAT, "mask '%s' is the same everywhere: values up to %d", path,
             top);
    out->height = p->height;
    out->width = p->width;
    out->level = v;
    p->pixels = NULL;
    return MG_OK;
}

mg_status mg_levels_read(const char *root, const char *path, mg_levels *out)
{
    char *data;
    size_t bytes = 0;
    mg_picture p;

    *out = (mg_levels){0};
    MG_TRY(mg_sample_load(root, path, &data, &bytes));
    mg_status st = mg_decode_mask_memory(data, bytes, path, &p, &out->lossy);
    mg_free(data);
    if (!st) st = take_levels(path, &p, out);
    mg_picture_free(&p);
    return st;
}

// The level that most of the border has.
static int border_level(const mg_levels *m)
{
    int64_t count[LEVELS] = {0};
    int most = 0;

    for (int x = 0; x < m->width; x++) {
        count[m->level[x]]++;
        count[m->level[(size_t)(m->height - 1) * m->width + x]]++;
    }
    for (int y = 0; y < m->height; y++) {
        count[m->level[(size_t)y * m->width]]++;
        count[m->level[(size_t)y * m->width + m->width - 1]]++;
    }
    for (int l = 1; l < LEVELS; l++)
        if (count[l] > count[most]) most = l;
    return most;
}

// How many sides of cells of each level lie against the background.
static void count_contacts(const mg_levels *m, int background, int64_t contact[LEVELS])
{
    const uint8_t *v = m->level;

    for (int y = 0; y < m->height; y++)
        for (int x = 0; x < m->width; x++) {
            size_t i = (size_t)y * m->width + x;
            int right = x + 1 < m->width ? v[i + 1] : v[i];
            int below = y + 1 < m->height ? v[i + m->width] : v[i];
            if ((right == background) != (v[i] == background))
                contact[v[i] == background ? right : v[i]]++;
            if ((below == background) != (v[i] == background))
                contact[v[i] == background ? below : v[i]]++;
        }
}

mg_status mg_levels_polarity(const mg_levels *m, const char *path, mg_polarity *out)
{
    int64_t contact[LEVELS] = {0};
    int background = border_level(m);

    *out = MG_POLARITY_OPEN;
    if (m->present != 7) return MG_OK;
    MG_CHECK(background != MG_LEVEL_MIDDLE, MG_ERR_FORMAT,
             "mask '%s' has the middle one of its three levels along the border; expected the "
             "lowest or the highest, the background",
             path);
    count_contacts(m, background, contact);
    int other = background == MG_LEVEL_LOW ? MG_LEVEL_HIGH : MG_LEVEL_LOW;
    int64_t middle = contact[MG_LEVEL_MIDDLE], end = contact[other];
    bool middle_is_rim = middle > 2 * end, middle_is_cup = end > 2 * middle;
    if (background == MG_LEVEL_LOW && middle_is_rim) *out = MG_BACKGROUND_RIM_CUP;
    if (background == MG_LEVEL_LOW && middle_is_cup) *out = MG_BACKGROUND_CUP_RIM;
    if (background == MG_LEVEL_HIGH && middle_is_rim) *out = MG_CUP_RIM_BACKGROUND;
    MG_CHECK(background == MG_LEVEL_LOW || !middle_is_cup, MG_ERR_FORMAT,
             "mask '%s' has its middle level inside of the lowest one on a background of the "
             "highest; no set is known that counts so",
             path);
    return MG_OK;
}

mg_status mg_levels_canonical(mg_levels *m, const char *path, mg_polarity polarity, bool *disc_only)
{
    uint8_t meaning[LEVELS] = {1, 1, 1};
    mg_polarity said;

    *disc_only = m->present != 7;
    if (*disc_only) {
        meaning[border_level(m)] = 0;
    } else {
        MG_TRY(mg_levels_polarity(m, path, &said));
        MG_CHECK(said == MG_POLARITY_OPEN || said == polarity, MG_ERR_FORMAT,
                 "mask '%s' counts %s, the data set counts %s", path, mg_polarity_name(said),
                 mg_polarity_name(polarity));
        MG_CHECK(polarity != MG_POLARITY_OPEN, MG_ERR_FORMAT,
                 "mask '%s' does not tell the cup from the rim; set the polarity", path);
        for (uint8_t k = 0; k < LEVELS; k++) meaning[level_of[polarity][k]] = k;
    }
    for (size_t i = 0; i < (size_t)m->height * m->width; i++) m->level[i] = meaning[m->level[i]];
    return MG_OK;
}

mg_status mg_levels_decide(const char *root, const mg_texts *masks, const char *group,
                           mg_scan *scan, mg_polarity *out)
{
    size_t asked = masks->count < ASKED ? masks->count : ASKED;
    const char *first = NULL;

    *out = MG_POLARITY_OPEN;
    for (size_t k = 0; k < asked; k++) {
        const char *path = masks->item[k * masks->count / asked];
        mg_polarity said = MG_POLARITY_OPEN;
        mg_levels m;
        mg_status st = mg_levels_read(root, path, &m);
        if (!st) st = mg_levels_polarity(&m, path, &said);
        mg_levels_free(&m);
        if (st == MG_ERR_MEMORY) return st;
        if (st) mg_err_clear(); // told again when the item is read
        if (said == MG_POLARITY_OPEN) continue;
        MG_CHECK(!first || said == *out, MG_ERR_FORMAT,
                 "masks of '%s' do not agree: '%s' counts %s, '%s' counts %s", group, first,
                 mg_polarity_name(*out), path, mg_polarity_name(said));
        if (!first) first = path;
        *out = said;
    }
    if (!first)
        return mg_scan_note(scan, "levels of %s: only discs in the %zu masks looked at", group,
                            asked);
    return mg_scan_note(scan, "levels of %s: %s", group, mg_polarity_name(*out));
}
