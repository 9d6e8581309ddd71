// Features are computed by all ranks and known to all; then each rank answers its share of the
// neighbour questions and tries its share of the regularisers.
#include "pretrain/probe_run.h"

#include <math.h>
#include <string.h>

#include "runtime/mem.h"

static const double regularisers[] = {1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10};
enum { REGULARISERS = sizeof regularisers / sizeof *regularisers };

struct mg_probe_run {
    const mg_comm *world;    // not owned
    const mg_labelled *data; // not owned
    int d, classes;
    float *train, *test; // [n, d] features
    float *fit, *held;   // the same of the training part without, and with, validation only
    int32_t *fit_label, *held_label;
    float *score;  // [test, classes]
    size_t *bytes; // [ranks]
    double *w;     // [d + 1, classes]
    double loss[REGULARISERS];
    void *block;
};

static void place(mg_layout *at, mg_probe_run *p)
{
    size_t d = (size_t)p->d, n = (size_t)p->data->train.count, m = (size_t)p->data->test.count;
    size_t held = (size_t)p->data->held_count;

    p->train = mg_place(at, n * d);
    p->test = mg_place(at, m * d);
    p->fit = mg_place(at, (n - held) * d);
    p->held = mg_place(at, held * d);
    p->fit_label = mg_place_bytes(at, (n - held) * sizeof *p->fit_label);
    p->held_label = mg_place_bytes(at, held * sizeof *p->held_label);
    p->score = mg_place(at, m * (size_t)p->classes);
    p->bytes = mg_place_bytes(at, (size_t)mg_comm_size(p->world) * sizeof *p->bytes);
    p->w = mg_place_bytes(at, (d + 1) * (size_t)p->classes * sizeof *p->w);
}

mg_status mg_probe_run_create(const mg_comm *world, const mg_labelled *data, int d,
                              mg_probe_run **out)
{
    mg_probe_run *p = mg_calloc(1, sizeof *p);
    mg_layout measure = {0};
    mg_status st = MG_OK;

    *out = NULL;
    if (p) {
        *p = (mg_probe_run){.world = world, .data = data, .d = d, .classes = data->classes};
        place(&measure, p);
        p->block = mg_alloc(measure.used);
    }
    if (!p || !p->block)
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu bytes for features", measure.used);
    st = mg_comm_agree(world, st);
    if (st) {
        mg_probe_run_destroy(&p);
        return st;
    }
    mg_layout at = {.base = p->block};
    place(&at, p);
    *out = p;
    return MG_OK;
}

void mg_probe_run_destroy(mg_probe_run **run)
{
    if (!*run) return;
    mg_free((*run)->block);
    mg_free(*run);
    *run = NULL;
}

// --- k nearest neighbours ---------------------------------------------------------------------------

static mg_status run_knn(mg_probe_run *p, int k, double temperature, mg_probe_scores *out)
{
    const mg_labelled *d = p->data;
    int ranks = mg_comm_size(p->world);
    int64_t lo, hi;

    mg_comm_range(d->test.count, mg_comm_rank(p->world), ranks, &lo, &hi);
    mg_probe_part known = {p->train, d->train.label, d->train.count, p->d};
    mg_probe_part asked = {p->test + lo * p->d, NULL, hi - lo, p->d};
    float *mine = mg_alloc((size_t)(hi - lo + 1) * p->classes * sizeof *mine);
    mg_status st = mine ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate votes");
    if (!st) st = mg_probe_knn(mine, &known, &asked, p->classes, k, temperature);
    st = mg_comm_agree(p->world, st);
    for (int r = 0; r < ranks && !st; r++) {
        mg_comm_range(d->test.count, r, ranks, &lo, &hi);
        p->bytes[r] = (size_t)(hi - lo) * p->classes * sizeof *mine;
    }
    if (!st) {
        mg_comm_allgatherv(p->world, mine, p->bytes, p->score);
        st = mg_comm_agree(p->world,
                           mg_probe_rate(p->score, d->test.label, d->test.count, p->classes, out));
    }
    mg_free(mine);
    return st;
}

// --- linear probe -----------------------------------------------------------------------------------

// The training part without and with its validation pictures only.
static void divide(mg_probe_run *p)
{
    const mg_labelled *d = p->data;
    int64_t at[2] = {0, 0};

    for (int64_t i = 0; i < d->train.count; i++) {
        int held = d->held[i];
        memcpy((held ? p->held : p->fit) + at[held] * p->d, p->train + i * p->d,
               (size_t)p->d * sizeof *p->fit);
        (held ? p->held_label : p->fit_label)[at[held]++] = d->train.label[i];
    }
}

// Both arrays by the means and deviations of the first.
static mg_status standardise(float *a, int64_t a_rows, float *b, int64_t b_rows, int d)
{
    double *mean = mg_alloc(2 * (size_t)d * sizeof *mean), *std = mean + d;

    MG_CHECK(mean, MG_ERR_MEMORY, "cannot allocate the means of %d features", d);
    mg_probe_spread(mean, std, a, a_rows, d);
    mg_probe_standardise(a, a, a_rows, d, mean, std);
    mg_probe_standardise(b, b, b_rows, d, mean, std);
    mg_free(mean);
    return MG_OK;
}

// Validation loss under each regulariser of this rank's share.
static mg_status try_regularisers(mg_probe_run *p, int64_t lo, int64_t hi)
{
    const mg_labelled *d = p->data;
    mg_probe_part fit = {p->fit, p->fit_label, d->train.count - d->held_count, p->d};
    mg_probe_part held = {p->held, p->held_label, d->held_count, p->d};
    mg_minimum how;

    if (lo < hi) MG_TRY(standardise(p->fit, fit.n, p->held, held.n, p->d));
    for (int64_t i = lo; i < hi; i++) {
        MG_TRY(mg_softmax_fit(p->w, &fit, p->classes, regularisers[i], &how));
        MG_TRY(mg_softmax_loss(p->w, &held, p->classes, &p->loss[i]));
    }
    return MG_OK;
}

// Collective. With nothing to validate on, the middle one is taken.
static mg_status pick_regulariser(mg_probe_run *p, mg_probe_findings *f)
{
    int ranks = mg_comm_size(p->world);
    int64_t lo, hi, best = REGULARISERS / 2;
    bool choice = p->data->held_count > 0 && p->data->held_count < p->data->train.count;

    mg_comm_range(REGULARISERS, mg_comm_rank(p->world), ranks, &lo, &hi);
    divide(p);
    MG_TRY(mg_comm_agree(p->world, choice ? try_regularisers(p, lo, hi) : MG_OK));
    f->l2 = regularisers[best];
    f->validation_loss = NAN;
    if (!choice) return MG_OK;
    double mine[REGULARISERS] = {0};
    memcpy(mine, p->loss + lo, (size_t)(hi - lo) * sizeof *mine);
    for (int r = 0; r < ranks; r++) {
        mg_comm_range(REGULARISERS, r, ranks, &lo, &hi);
        p->bytes[r] = (size_t)(hi - lo) * sizeof *mine;
    }
    mg_comm_allgatherv(p->world, mine, p->bytes, p->loss);
    best = 0;
    for (int i = 1; i < REGULARISERS; i++)
        if (p->loss[i] < p->loss[best]) best = i;
    f->l2 = regularisers[best];
    f->validation_loss = p->loss[best];
    return MG_OK;
}

// The last fit, on the whole training part: rank 0. Standardises the features in their place.
static mg_status fit_and_rate(mg_probe_run *p, mg_probe_findings *f)
{
    const mg_labelled *d = p->data;
    mg_probe_part train = {p->train, d->train.label, d->train.count, p->d};
    mg_probe_part test = {p->test, d->test.label, d->test.count, p->d};
    mg_minimum how;

    MG_TRY(standardise(p->train, train.n, p->test, test.n, p->d));
    MG_TRY(mg_softmax_fit(p->w, &train, p->classes, f->l2, &how));
    MG_TRY(mg_softmax_scores(p->score, p->w, &test, p->classes));
    return mg_probe_rate(p->score, test.label, test.n, p->classes, &f->linear);
}

static mg_status run_linear(mg_probe_run *p, mg_probe_findings *f)
{
    MG_TRY(pick_regulariser(p, f));
    return mg_comm_agree(p->world, mg_comm_rank(p->world) == 0 ? fit_and_rate(p, f) : MG_OK);
}

mg_status mg_probe_encoder(mg_probe_run *p, mg_encoder *e, int k, double temperature,
                           mg_probe_findings *out)
{
    const mg_labelled_part *train = &p->data->train, *test = &p->data->test;

    MG_TRY(mg_encoder_features(p->world, e, train->reader, train->sample, train->count, p->train));
    MG_TRY(mg_encoder_features(p->world, e, test->reader, test->sample, test->count, p->test));
    MG_TRY(run_knn(p, k, temperature, &out->knn));
    return run_linear(p, out);
}
