// Several readers' discs and cups; see opinions.h.
#include "datasets/opinions.h"

#include <stdio.h>
#include <string.h>

#include "datasets/fundus.h"
#include "runtime/hash.h"
#include "runtime/mem.h"

enum { DISC, CUP };

mg_status mg_opinions_start(mg_opinions *o, int height, int width, const char *name)
{
    if (o->plane) {
        MG_CHECK(o->height == height && o->width == width, MG_ERR_FORMAT,
                 "mask '%s' is %d x %d, the picture is %d x %d (rows x columns)", name, height,
                 width, o->height, o->width);
        return MG_OK;
    }
    o->height = height;
    o->width = width;
    o->plane = mg_calloc((size_t)height * width, sizeof *o->plane);
    MG_CHECK(o->plane, MG_ERR_MEMORY, "no memory for the masks of '%s'", name);
    return MG_OK;
}

void mg_opinions_free(mg_opinions *o)
{
    mg_free(o->plane);
    *o = (mg_opinions){0};
}

mg_status mg_opinions_levels(mg_opinions *o, int reader, const mg_levels *mask, bool disc_only,
                             const char *name)
{
    uint16_t disc = mg_opinions_bit(reader, false), cup = mg_opinions_bit(reader, true);

    MG_TRY(mg_opinions_start(o, mask->height, mask->width, name));
    for (size_t i = 0; i < (size_t)mask->height * mask->width; i++) {
        if (mask->level[i] >= 1) o->plane[i] |= disc;
        if (mask->level[i] == 2) o->plane[i] |= cup;
    }
    o->given |= disc_only ? disc : disc | cup;
    return MG_OK;
}

mg_target mg_target_named(const char *name)
{
    static const char *const names[] = {"majority", "mean", "reader", "random"};
    mg_target t = MG_TARGET_RANDOM;
    while (t > MG_TARGET_MAJORITY && strcmp(names[t], name)) t--;
    return t;
}

static int count_bits(unsigned v)
{
    return __builtin_popcount(v);
}

// Bits of all discs, or of all cups.
static unsigned bits_of(int what)
{
    return what == DISC ? 0x1555 : 0x2AAA;
}

// The one reader that is asked, of those who gave a disc; -1 if he gave none.
static int choose_reader(const mg_opinions *o, mg_target target, int one, const char *key)
{
    int left = -1, count = count_bits(o->given & bits_of(DISC));

    if (target == MG_TARGET_READER) return o->given & mg_opinions_bit(one, false) ? one : -1;
    if (count) left = (int)(mg_hash64(key, strlen(key)) % (uint64_t)count);
    for (int r = 0; r < MG_READERS_MOST && left >= 0; r++)
        if (o->given & mg_opinions_bit(r, false) && left-- == 0) return r;
    return -1;
}

// Cells are set where at least `need[what]` of the bits in `asked[what]` are.
static void set_classes(const mg_opinions *o, const unsigned asked[2], const int need[2], bool kept,
                        uint16_t *bits)
{
    for (size_t i = 0; i < (size_t)o->height * o->width; i++) {
        unsigned v = o->plane[i] & o->given;
        unsigned disc = need[DISC] > 0 && count_bits(v & asked[DISC]) >= need[DISC];
        unsigned cup = disc && need[CUP] > 0 && count_bits(v & asked[CUP]) >= need[CUP];
        bits[i] = (uint16_t)(disc | cup << 1 | (kept ? v << 2 : 0));
    }
}

mg_status mg_opinions_label(const mg_opinions *o, mg_target target, int one, const char *key,
                            bool kept, mg_sample *sample)
{
    unsigned asked[2], keep = (1u << 2 * MG_READERS_KEPT) - 1;
    int need[2];
    bool vote = target == MG_TARGET_MAJORITY || target == MG_TARGET_MEAN;

    if (!vote) {
        one = choose_reader(o, target, one, key);
        MG_CHECK(one >= 0, MG_ERR_FORMAT, "'%s' has no mask of the reader that is asked for", key);
    }
    for (int what = DISC; what <= CUP; what++) {
        asked[what] =
            o->given & (vote ? bits_of(what) : (unsigned)mg_opinions_bit(one, what == CUP));
        int n = count_bits(asked[what]);
        need[what] = target == MG_TARGET_MAJORITY ? n / 2 + 1 : (n + 1) / 2;
        if (n == 0) need[what] = 0, sample->unknown |= (uint16_t)(1u << what);
    }
    if (kept) sample->unknown |= (uint16_t)((~(unsigned)o->given & keep) << 2);
    sample->bits = mg_alloc((size_t)o->height * o->width * sizeof *sample->bits);
    MG_CHECK(sample->bits, MG_ERR_MEMORY, "no memory for the label of '%s'", key);
    set_classes(o, asked, need, kept, sample->bits);
    return MG_OK;
}

void mg_opinions_classes(mg_scan *scan)
{
    mg_fundus_classes(scan);
    for (int r = 0; r < MG_READERS_KEPT; r++)
        for (int what = DISC; what <= CUP; what++)
            snprintf(scan->class_name[scan->classes++], sizeof *scan->class_name,
                     "optic %s, reader %d", what == DISC ? "disc" : "cup", r + 1);
}
