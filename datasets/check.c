// medgraft check-data: each rank opens its share of the cases, block by block, and rank 0 tells in their
// order what was found; see check.h.
#include "datasets/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/names.h"
#include "datasets/share.h"
#include "datasets/tally.h"
#include "runtime/log.h"
#include "runtime/mem.h"

enum { EACH = 32 }; // cases of a rank between two exchanges

typedef enum { GOOD, ODD, BAD } state;
static const char *const state_name[] = {"ok", "odd", "bad"};

// What is known of one case after opening it. Exchanged as it is.
typedef struct {
    state state;
    bool opened, constant;
    int size[3]; // depth, height, width
    int channels, masks, rejected;
    mg_dtype type;
    double spacing[3];
    char orientation[4];
    uint16_t classes;
    mg_hash128 hash;
    char text[400];
} record;

// --- one case ---------------------------------------------------------------------------------------

static void say(record *r, state worst, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void say(record *r, state worst, const char *fmt, ...)
{
    size_t used = strlen(r->text);
    va_list args;

    if (worst > r->state) r->state = worst;
    if (used && used + 2 < sizeof r->text) {
        memcpy(r->text + used, "; ", 3);
        used += 2;
    }
    va_start(args, fmt);
    vsnprintf(r->text + used, sizeof r->text - used, fmt, args);
    va_end(args);
}

static void expect_size(record *r, const char *what, int found, const int span[2])
{
    if (span[1] == 0 || (found >= span[0] && found <= span[1])) return;
    if (span[0] == span[1])
        say(r, ODD, "%s %d, expected %d", what, found, span[0]);
    else
        say(r, ODD, "%s %d, expected %d to %d", what, found, span[0], span[1]);
}

static void expect_spacing(record *r, const char *what, double found, const double span[2])
{
    if (span[1] == 0 || (found >= span[0] && found <= span[1])) return;
    say(r, ODD, "%s %.4g mm, expected %.4g to %.4g", what, found, span[0], span[1]);
}

static void hold_against(const mg_expected *e, record *r)
{
    expect_size(r, "width", r->size[2], e->width);
    expect_size(r, "height", r->size[1], e->height);
    expect_size(r, "depth", r->size[0], e->depth);
    expect_spacing(r, "spacing across", r->spacing[2], e->in_plane_mm);
    expect_spacing(r, "spacing along", r->spacing[1], e->in_plane_mm);
    expect_spacing(r, "slices every", r->spacing[0], e->slice_mm);
}

static void look_at_label(const mg_sample *s, int classes, record *r)
{
    size_t cells = (size_t)s->depth * s->height * s->width;
    bool seen[256] = {false};

    for (size_t i = 0; s->label && i < cells; i++) seen[s->label[i]] = true;
    for (int v = 1; v < MG_LABEL_IGNORE; v++) {
        if (v <= classes && seen[v]) r->classes |= (uint16_t)(1u << (v - 1));
        if (v > classes && seen[v]) say(r, BAD, "label value %d is no class", v);
    }
    for (size_t i = 0; s->bits && i < cells; i++) r->classes |= s->bits[i] & 0x7FFF;
    if (r->classes >> classes)
        say(r, BAD, "label has bits %#x beyond %d classes", r->classes, classes);
    if (!r->classes) say(r, ODD, "label is empty");
}

static bool is_constant(const mg_sample *s)
{
    size_t step = (size_t)s->channels * mg_dtype_size(s->type);
    size_t bytes = (size_t)s->depth * s->height * s->width * step;

    return !memcmp(s->pixels, (const char *)s->pixels + step, bytes - step);
}

// `size_told`: the section's sizes count (those of phantoms are their own).
static mg_status look_at_sample(const mg_check_order *o, const mg_scan *scan, bool size_told,
                                const mg_sample *s, record *r)
{
    r->opened = true;
    r->size[0] = s->volume.full_depth ? s->volume.full_depth : s->depth;
    r->size[1] = s->full_height ? s->full_height : s->height;
    r->size[2] = s->full_width ? s->full_width : s->width;
    r->channels = s->channels;
    r->type = s->type;
    memcpy(r->spacing, s->volume.orientation[0] ? s->volume.full_spacing : s->spacing,
           sizeof r->spacing);
    memcpy(r->orientation, s->volume.orientation, sizeof r->orientation);
    r->hash = s->hash;
    if (!s->hashed) MG_TRY(mg_sample_hash(s, &r->hash));
    if (size_told) hold_against(&o->set->expected, r);
    if (*s->remark) say(r, ODD, "%s", s->remark);
    r->constant = is_constant(s);
    if (r->constant) say(r, ODD, "all its pixels are equal");
    if (s->label || s->bits) look_at_label(s, scan->classes, r);
    return MG_OK;
}

static mg_status open_case(const mg_check_order *o, const mg_shared_scan *list, bool size_told,
                           int64_t i, record *r)
{
    const mg_decode_hint hint = {.as_found = true};
    mg_sample sample = {0};

    memset(r, 0, sizeof *r); // with its gaps: it is sent
    mg_status st =
        o->set->read(o->root, o->config, &list->scan, &list->scan.item[i], &hint, &sample);
    r->masks = sample.masks; // also of one that cannot be used
    r->rejected = sample.rejected;
    if (!st) st = look_at_sample(o, &list->scan, size_told, &sample, r);
    mg_sample_free(&sample);
    if (!st || st == MG_ERR_MEMORY) return st;
    say(r, BAD, "%s", mg_err_message());
    mg_err_clear();
    return MG_OK;
}

// --- sides of the split -----------------------------------------------------------------------------

static bool is_held_out(const mg_shared_scan *list, int64_t i)
{
    const char *split = list->scan.item[i].split;
    return *split ? strcmp(split, "train") != 0 : list->fold[i] == 0;
}

static void side_text(const mg_shared_scan *list, int64_t i, char text[16])
{
    const char *split = list->scan.item[i].split;

    if (*split)
        snprintf(text, 16, "%s", split);
    else
        snprintf(text, 16, "fold %d", (int)list->fold[i]);
}

// --- the table --------------------------------------------------------------------------------------

// What rank 0 keeps while the blocks come in.
typedef struct {
    const mg_check_order *order;
    const mg_shared_scan *list;
    mg_hash128 *hash; // [cases]
    uint32_t *slot;   // open hash table of case numbers
    size_t slots;
    mg_check_outcome *sum;
    mg_tally readers;
    bool headed;
} teller;

static void print_row(teller *t, const char *status, const record *r, const char *side,
                      const char *name, const char *text)
{
    char size[40] = "-", spacing[40] = "-", classes[64] = "-";
    size_t used = 0;

    if (t->order->rows == MG_CHECK_NONE ||
        (t->order->rows == MG_CHECK_ODD && !strcmp(status, "ok")))
        return;
    if (!t->headed)
        fprintf(t->order->out, "%-6s %-18s %-20s %-4s %-7s %-14s %s\n", "status", "size",
                "spacing_mm", "axes", "part", "classes", "case");
    t->headed = true;
    if (r && r->opened) {
        if (r->orientation[0])
            snprintf(size, sizeof size, "%dx%dx%dx%d", r->size[2], r->size[1], r->size[0],
                     r->channels);
        else
            snprintf(size, sizeof size, "%dx%dx%d", r->size[2], r->size[1], r->channels);
        if (r->spacing[0] > 0)
            snprintf(spacing, sizeof spacing, "%.4gx%.4gx%.4g", r->spacing[2], r->spacing[1],
                     r->spacing[0]);
    }
    for (int c = 1; r && r->classes >> (c - 1) && used < sizeof classes - 8; c++) {
        int last = c;
        if (!(r->classes >> (c - 1) & 1)) continue;
        while (r->classes >> last & 1) last++;
        used += (size_t)snprintf(classes + used, sizeof classes - used,
                                 last > c ? "%s%d-%d" : "%s%d", used ? "," : "", c, last);
        c = last;
    }
    fprintf(t->order->out, "%-6s %-18s %-20s %-4s %-7s %-14s %s%s%s\n", status, size, spacing,
            r && r->orientation[0] ? r->orientation : "-", side, classes, name, *text ? ": " : "",
            text);
}

// The earlier case with the same pixels, -1 if there is none; then this one is remembered.
static int64_t find_same(teller *t, int64_t i, mg_hash128 hash)
{
    size_t at = hash.low & (t->slots - 1);

    t->hash[i] = hash;
    for (; t->slot[at] != UINT32_MAX; at = (at + 1) & (t->slots - 1)) {
        const mg_hash128 *h = &t->hash[t->slot[at]];
        if (h->low == hash.low && h->high == hash.high) return t->slot[at];
    }
    t->slot[at] = (uint32_t)i;
    return -1;
}

static mg_status tell_case(teller *t, int64_t i, record *r)
{
    const char *name = t->list->scan.item[i].name;
    int64_t same = r->opened && !r->constant ? find_same(t, i, r->hash) : -1;
    char side[16];

    if (same >= 0) {
        bool leak = is_held_out(t->list, i) != is_held_out(t->list, same);
        say(r, leak ? BAD : ODD, "same pixels as '%s'%s", t->list->scan.item[same].name,
            leak ? " on the other side of the split" : "");
        t->sum->duplicates++;
    }
    t->sum->cases++;
    t->sum->good += r->state == GOOD;
    t->sum->odd += r->state == ODD;
    t->sum->bad += r->state == BAD;
    side_text(t->list, i, side);
    print_row(t, state_name[r->state], r, side, name, r->text);
    return r->masks ? mg_tally_add(&t->readers, name, r->masks, r->rejected) : MG_OK;
}

// --- what the scan says -----------------------------------------------------------------------------

// Files without a case. Some are left out for reasons that are no fault of this copy.
static void tell_skipped(teller *t)
{
    const mg_texts *skipped = &t->list->scan.skipped;

    for (size_t i = 0; i < skipped->count; i++) {
        const char *text = skipped->item[i];
        bool same = strstr(text, ": same name as '") && !strstr(text, ", but other contents");
        bool fine = same || strstr(text, ": known to be ");
        t->sum->passed += fine;
        t->sum->skipped += !fine;
        print_row(t, fine ? "odd" : "bad", NULL, "-", text, "");
    }
}

static void tell_notes(teller *t)
{
    const mg_texts *notes = &t->list->scan.notes;

    for (size_t i = 0; i < notes->count; i++) {
        bool differs = strstr(notes->item[i], ", expected ") != NULL;
        t->sum->counts += differs;
        if (differs)
            mg_warn("%s", notes->item[i]);
        else
            mg_info("%s", notes->item[i]);
    }
}

// Patients with cases on both sides.
static mg_status tell_patients(teller *t)
{
    mg_names first = {0};
    mg_status st = MG_OK;

    for (int64_t i = 0; i < t->list->scan.count && !st; i++) {
        const char *patient = t->list->scan.item[i].patient;
        int64_t other = mg_names_find(&first, patient);
        char text[96], here[16], there[16];
        if (other < 0) {
            st = mg_names_add(&first, patient, i);
            continue;
        }
        if (is_held_out(t->list, i) == is_held_out(t->list, other)) continue;
        side_text(t->list, i, here);
        side_text(t->list, other, there);
        snprintf(text, sizeof text, "in %s, and here in %s: '%.40s'", there, here,
                 t->list->scan.item[i].name);
        t->sum->crossing++;
        print_row(t, "bad", NULL, "both", patient, text);
    }
    mg_names_free(&first);
    return st;
}

// --- blocks -----------------------------------------------------------------------------------------

static mg_status open_block(const mg_check_order *o, const mg_shared_scan *list, bool size_told,
                            int64_t first, int64_t last, record *mine)
{
    mg_status worst = MG_OK;
    char *error = NULL;

#pragma omp parallel for schedule(dynamic, 1) num_threads(o->threads)
    for (int64_t i = first; i < last; i++) {
        mg_status st = open_case(o, list, size_told, i, &mine[i - first]);
        if (!st) continue;
#pragma omp critical
        if (!worst) {
            worst = st;
            error = mg_err_take();
        }
    }
    if (worst) mg_err_give(error);
    return worst;
}

static mg_status open_all(const mg_comm *world, const mg_check_order *o, const mg_shared_scan *list,
                          bool size_told, teller *t)
{
    int size = mg_comm_size(world), rank = mg_comm_rank(world);
    int64_t count = list->scan.count, block = (int64_t)EACH * size;
    record *mine = mg_alloc(EACH * sizeof *mine), *all = mg_alloc((size_t)block * sizeof *all);
    mg_status st = mine && all ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a block of cases");

    st = mg_comm_agree(world, st);
    for (int64_t lo = 0; lo < count && !st; lo += block) {
        int64_t first = lo + (int64_t)rank * EACH,
                last = first + EACH < count ? first + EACH : count;
        if (first < last) st = open_block(o, list, size_told, first, last, mine);
        st = mg_comm_agree(world, st);
        if (st) break;
        mg_comm_allgather(world, mine, EACH * sizeof *mine, all);
        for (int64_t i = lo; i < lo + block && i < count && rank == 0 && !st; i++)
            st = tell_case(t, i, &all[i - lo]);
        st = mg_comm_agree(world, st);
        mg_progress(lo + block < count ? lo + block : count, count, "check %s", o->set->name);
    }
    mg_progress_end();
    mg_free(mine);
    mg_free(all);
    return st;
}

static mg_status make_teller(const mg_check_order *o, const mg_shared_scan *list, teller *t)
{
    size_t count = (size_t)list->scan.count;

    *t = (teller){.order = o, .list = list, .slots = 16, .sum = t->sum};
    while (t->slots < 2 * count) t->slots *= 2;
    t->hash = mg_alloc((count + 1) * sizeof *t->hash);
    t->slot = mg_alloc(t->slots * sizeof *t->slot);
    MG_CHECK(t->hash && t->slot, MG_ERR_MEMORY, "cannot allocate hashes of %zu cases", count);
    memset(t->slot, 0xFF, t->slots * sizeof *t->slot);
    return MG_OK;
}

mg_status mg_check_run(const mg_comm *world, const mg_check_order *order, mg_check_outcome *outcome)
{
    mg_shared_scan list;
    teller t = {.sum = outcome};
    char *mark = mg_path_join(order->root, "PHANTOM");
    bool phantom = mark && mg_path_is_file(mark), told = mg_comm_rank(world) == 0;

    mg_free(mark);
    memset(outcome, 0, sizeof *outcome);
    mg_status st = mg_scan_share(world, order->set, order->root, order->config, &list);
    if (st) return st;
    if (told) st = make_teller(order, &list, &t);
    st = mg_comm_agree(world, st);
    if (!st) st = open_all(world, order, &list, !phantom, &t);
    if (!st) {
        if (told) tell_skipped(&t);
        if (told) st = tell_patients(&t);
        if (told) tell_notes(&t);
        if (told) mg_tally_log(&t.readers);
        st = mg_comm_agree(world, st);
    }
    if (!st) mg_comm_bcast(world, outcome, sizeof *outcome, 0);
    mg_free(t.hash);
    mg_free(t.slot);
    mg_tally_free(&t.readers);
    mg_shared_scan_free(&list);
    return st;
}
