// Health of the encoder. Each rank looks at a contiguous share of the set; what it finds is
// gathered sample by sample, and rank 0 makes the figures from the whole in the order of the
// samples. Draws of masks, moved patches and mixes are those of epoch 0, so that a change of a
// figure is a change of the encoder. A sample's e-Mix partner is embedded by the rank that needs it.
#include "pretrain/health.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pretrain/figures.h"
#include "pretrain/health_gradients.h"
#include "runtime/log.h"
#include "runtime/mem.h"

enum { GRADIENT_SAMPLES = 16 };
static const int64_t gradient_limit = 200000000; // parameters

// What is known of each sample; own share or all of them.
typedef struct {
    float *features;           // [n, D]
    float *z, *zm, *lam;       // e-Mix: [n, d] twice, [n]
    float *moved_score;        // ShED: [n, L] logit of "moved" minus that of "kept"
    uint8_t *moved;            // [n, L]
    double *textured, *tokens; // MAE: loss over textured hidden patches, and their number
} findings;

struct mg_health {
    const mg_comm *world;
    mg_pretrain_model *model;
    const mg_pretrain_data *data;
    const mg_pretrain_settings *settings;
    mg_objectives objectives;
    int ranks, n; // n samples
    int lo, hi;   // of this rank
    float *images, *e, *partner;
    uint32_t *sample;
    size_t *counts; // [ranks] bytes of a gather
    findings own, all;
    uint32_t *pi;
    uint64_t *keys;
    float *contrast;
    void *block;
};

typedef struct {
    double spread, cosine, cosine_centred, rank;
    double emix_loss, emix_accuracy, shed_auroc, mae_textured;
    mg_health_pull pull;
} figures;

// --- memory -----------------------------------------------------------------------------------------

static void place_findings(mg_layout *at, findings *f, const mg_pretrain_model *m, size_t n)
{
    size_t d = (size_t)m->cfg.emix_dim, L = (size_t)m->L;

    f->features = mg_place(at, n * (size_t)m->cfg.vit.D);
    f->z = mg_place(at, m->cfg.use_emix ? n * d : 0);
    f->zm = mg_place(at, m->cfg.use_emix ? n * d : 0);
    f->lam = mg_place(at, n);
    f->moved_score = mg_place(at, m->cfg.use_shed ? n * L : 0);
    f->moved = mg_place_bytes(at, m->cfg.use_shed ? n * L : 0);
    f->textured = mg_place_bytes(at, n * sizeof *f->textured);
    f->tokens = mg_place_bytes(at, n * sizeof *f->tokens);
}

static void place(mg_layout *at, mg_health *h)
{
    const mg_pretrain_model *m = h->model;
    size_t chunk = (size_t)m->cfg.each, n = (size_t)h->n, map = (size_t)m->L * m->cfg.vit.D;

    h->images = mg_place(at, chunk * mg_pretrain_floats(h->data));
    h->e = mg_place(at, chunk * map);
    h->partner = mg_place(at, m->cfg.use_emix ? chunk * map : 0);
    h->sample = mg_place_bytes(at, chunk * sizeof *h->sample);
    h->counts = mg_place_bytes(at, (size_t)h->ranks * sizeof *h->counts);
    place_findings(at, &h->own, m, (size_t)(h->hi - h->lo));
    place_findings(at, &h->all, m, n);
    h->pi = mg_place_bytes(at, n * sizeof *h->pi);
    h->keys = mg_place_bytes(at, 2 * n * sizeof *h->keys);
    h->contrast = mg_place(at, mg_emix_contrast_scratch(h->n, m->cfg.emix_dim));
}

static bool compares_gradients(const mg_health *h)
{
    return h->settings->health_gradients &&
           mg_params_trainable(&h->model->params) <= gradient_limit;
}

static int gradient_samples(const mg_health *h)
{
    return h->n < GRADIENT_SAMPLES ? h->n : GRADIENT_SAMPLES;
}

size_t mg_health_bytes(mg_pretrain_model *model, const mg_pretrain_data *data,
                       const mg_pretrain_settings *settings, int ranks)
{
    int n = (int)settings->health_samples;
    mg_health h = {.model = model,
                   .data = data,
                   .settings = settings,
                   .ranks = ranks,
                   .n = n,
                   .hi = (n + ranks - 1) / ranks};
    mg_layout at = {0};

    place(&at, &h);
    if (!compares_gradients(&h)) return at.used;
    return at.used + mg_health_gradients_bytes(model, data, gradient_samples(&h));
}

mg_status mg_health_create(const mg_comm *world, mg_pretrain_model *model,
                           const mg_pretrain_data *data, const mg_pretrain_settings *settings,
                           mg_health **out)
{
    int64_t have = mg_reader_count(data->reader), want = settings->health_samples, lo, hi;
    bool split = mg_pretrain_mode_of(settings) == MG_MODE_SPLIT;
    mg_health *h = mg_calloc(1, sizeof *h);

    *out = NULL;
    MG_CHECK(h, MG_ERR_MEMORY, "cannot allocate the health figures");
    *h = (mg_health){.world = world, .model = model, .data = data, .settings = settings};
    h->objectives = mg_pretrain_objectives(settings, 2);
    h->objectives =
        mg_pretrain_objectives(settings, settings->train.batch / (split ? h->objectives.count : 1));
    h->ranks = mg_comm_size(world);
    h->n = (int)(have < want ? have : want);
    mg_comm_range(h->n, mg_comm_rank(world), mg_comm_size(world), &lo, &hi);
    h->lo = (int)lo;
    h->hi = (int)hi;
    mg_layout measure = {0};
    place(&measure, h);
    h->block = mg_alloc(measure.used);
    if (!h->block) {
        mg_health_destroy(&h);
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu bytes for the health figures",
                       measure.used);
    }
    mg_layout at = {.base = h->block};
    place(&at, h);
    *out = h;
    return MG_OK;
}

void mg_health_destroy(mg_health **health)
{
    if (!*health) return;
    mg_free((*health)->block);
    mg_free(*health);
    *health = NULL;
}

// --- looking at this rank's share -------------------------------------------------------------------

// Pictures of positions first .. first + B - 1 of the set, or of their e-Mix partners.
static mg_status load(mg_health *h, int first, int B, bool partners)
{
    size_t floats = mg_pretrain_floats(h->data);

    for (int b = 0; b < B; b++) {
        int64_t sample =
            mg_pretrain_spread(h->data, h->n, partners ? (int)h->pi[first + b] : first + b);
        MG_TRY(mg_pretrain_centre(h->data, sample, h->images + (size_t)b * floats));
        h->sample[b] = (uint32_t)sample;
    }
    return MG_OK;
}

// Rows of the last MAE pass: hidden tokens are those behind the visible ones in `shuffle`.
static void note_mae(mg_health *h, int at, int B)
{
    const mg_mae_acts *a = &h->model->mae_acts;
    int L = h->model->L;

    for (int b = 0; b < B; b++) {
        double loss = 0, tokens = 0;
        for (int j = h->model->mae.keep; j < L; j++) {
            size_t t = (size_t)b * L + a->shuffle[(size_t)b * L + j];
            if (a->variance[t] > 1e-4f) loss += a->per_patch[t], tokens += 1;
        }
        h->own.textured[at + b] = loss;
        h->own.tokens[at + b] = tokens;
    }
}

static void note_shed(mg_health *h, int at, int B)
{
    const mg_shed_acts *a = &h->model->shed_acts;
    int L = h->model->L, cls = h->model->shed.cls;

    for (int b = 0; b < B; b++)
        for (int t = 0; t < L; t++) {
            const float *logit = a->logits + ((size_t)b * (cls + L) + cls + t) * 2;
            size_t to = (size_t)(at + b) * L + t;
            h->own.moved_score[to] = logit[1] - logit[0];
            h->own.moved[to] = a->source[b * L + t] != t;
        }
}

static mg_status look(mg_health *h, int first, int B)
{
    mg_pretrain_model *m = h->model;
    size_t d = (size_t)m->cfg.emix_dim, at = (size_t)(first - h->lo);
    mg_pretrain_leaf leaf = {.images = h->images,
                             .sample = h->sample,
                             .n = B,
                             .seed = (uint64_t)h->settings->train.seed,
                             .e = h->e};

    if (m->cfg.use_emix) {
        MG_TRY(load(h, first, B, true));
        mg_pretrain_embed(m, h->partner, h->images, B);
    }
    MG_TRY(load(h, first, B, false));
    mg_pretrain_features(m, h->own.features + at * (size_t)m->cfg.vit.D, h->images, B);
    mg_pretrain_embed(m, h->e, h->images, B);
    if (m->cfg.use_mae) {
        mg_pretrain_mae(m, &leaf, NULL, B, h->n, 0, NULL, NULL);
        note_mae(h, (int)at, B);
    }
    if (m->cfg.use_shed) {
        mg_pretrain_shed(m, &leaf, NULL, B, h->n, 0, NULL, NULL);
        note_shed(h, (int)at, B);
    }
    if (m->cfg.use_emix)
        mg_pretrain_emix_forward(m, 0, &leaf, NULL, B, h->partner, h->own.lam + at,
                                 h->own.z + at * d, h->own.zm + at * d);
    return MG_OK;
}

static mg_status look_at_share(mg_health *h)
{
    int chunk = h->model->cfg.each;

    mg_emix_pairs(h->pi, (uint64_t)h->settings->train.seed, 0, 0, h->n, h->keys);
    for (int i = h->lo; i < h->hi; i += chunk)
        MG_TRY(look(h, i, h->hi - i < chunk ? h->hi - i : chunk));
    return MG_OK;
}

// --- figures of the whole ---------------------------------------------------------------------------

// Collective.
static void gather(mg_health *h, const void *own, void *all, size_t bytes_per_sample)
{
    for (int r = 0; r < mg_comm_size(h->world); r++) {
        int64_t lo, hi;
        mg_comm_range(h->n, r, mg_comm_size(h->world), &lo, &hi);
        h->counts[r] = (size_t)(hi - lo) * bytes_per_sample;
    }
    mg_comm_allgatherv(h->world, own, h->counts, all);
}

static void gather_findings(mg_health *h)
{
    const mg_pretrain_config *c = &h->model->cfg;
    size_t L = (size_t)h->model->L, d = (size_t)c->emix_dim * sizeof(float);

    gather(h, h->own.features, h->all.features, (size_t)c->vit.D * sizeof(float));
    if (c->use_emix) {
        gather(h, h->own.z, h->all.z, d);
        gather(h, h->own.zm, h->all.zm, d);
        gather(h, h->own.lam, h->all.lam, sizeof(float));
    }
    if (c->use_shed) {
        gather(h, h->own.moved_score, h->all.moved_score, L * sizeof(float));
        gather(h, h->own.moved, h->all.moved, L);
    }
    if (c->use_mae) {
        gather(h, h->own.textured, h->all.textured, sizeof(double));
        gather(h, h->own.tokens, h->all.tokens, sizeof(double));
    }
}

static mg_status make_figures(mg_health *h, figures *f)
{
    const mg_pretrain_config *c = &h->model->cfg;
    const findings *a = &h->all;

    MG_TRY(mg_figure_cosine(a->features, h->n, c->vit.D, false, &f->cosine));
    MG_TRY(mg_figure_cosine(a->features, h->n, c->vit.D, true, &f->cosine_centred));
    MG_TRY(mg_figure_rank(a->features, h->n, c->vit.D, &f->rank));
    if (c->use_emix) {
        mg_emix_loss loss =
            mg_emix_contrast(NULL, NULL, a->z, a->zm, a->lam, h->pi, h->n, c->emix_dim, c->emix_tau,
                             c->emix_batch_mean, 1, 0, h->n, h->contrast);
        f->spread = mg_figure_spread(a->z, h->n, c->emix_dim);
        f->emix_loss = loss.loss;
        f->emix_accuracy = (double)loss.hits / h->n;
    }
    if (c->use_shed)
        MG_TRY(
            mg_figure_auroc(a->moved_score, a->moved, (int64_t)h->n * h->model->L, &f->shed_auroc));
    if (c->use_mae) {
        double loss = 0, tokens = 0;
        for (int i = 0; i < h->n; i++) loss += a->textured[i], tokens += a->tokens[i];
        f->mae_textured = loss / tokens;
    }
    if (!compares_gradients(h)) return MG_OK;
    return mg_health_gradients(h->model, h->data, &h->objectives, gradient_samples(h),
                               (uint64_t)h->settings->train.seed, &f->pull);
}

// --- what is said about them ------------------------------------------------------------------------

// Figures by name; NaN where an objective is not trained.
static void list_figures(const figures *f, const char *name[8], double value[8])
{
    const char *const names[8] = {"cosine",     "cosine_centred",   "effective_rank",
                                  "spread",     "emix_loss",        "emix_accuracy",
                                  "shed_auroc", "mae_loss_textured"};
    const double values[8] = {f->cosine,    f->cosine_centred, f->rank,       f->spread,
                              f->emix_loss, f->emix_accuracy,  f->shed_auroc, f->mae_textured};

    memcpy(name, names, sizeof names);
    memcpy(value, values, sizeof values);
}

static mg_json *named(const char *const *name, const double *value, int count)
{
    mg_json *to = mg_json_object();

    for (int i = 0; i < count; i++)
        if (!isnan(value[i])) mg_json_put_real(to, name[i], value[i]);
    return to;
}

static mg_json *describe(const mg_health *h, const figures *f)
{
    static const char *const objective[] = {"mae", "emix", "shed"};
    static const char *const pair[] = {"mae_emix", "mae_shed", "emix_shed"};
    const char *name[8];
    double value[8];

    list_figures(f, name, value);
    mg_json *to = named(name, value, 8);
    mg_json_put_int(to, "samples", h->n);
    mg_json_put(to, "gradient_norm", named(objective, f->pull.norm, 3));
    mg_json_put(to, "gradient_cosine", named(pair, f->pull.cosine, 3));
    return to;
}

static void show(const figures *f, int64_t step)
{
    const char *name[8];
    double value[8];
    char text[512] = "";
    size_t used = 0;

    list_figures(f, name, value);
    for (int i = 0; i < 8; i++)
        if (!isnan(value[i]))
            used +=
                (size_t)snprintf(text + used, sizeof text - used, " %s %.3g", name[i], value[i]);
    mg_info("health at_step %lld%s", (long long)step, text);
}

// The largest ratio of two gradient norms.
static double imbalance(const mg_health_pull *pull)
{
    double low = INFINITY, high = 0;

    for (int i = 0; i < 3; i++) {
        if (isnan(pull->norm[i])) continue;
        low = fmin(low, pull->norm[i]);
        high = fmax(high, pull->norm[i]);
    }
    return high > 0 ? high / low : 1;
}

static void warn_if(bool alarm, int64_t step, const char *what, double value, const char *problem)
{
    if (alarm) mg_warn("health at step %lld: %s %.3g %s", (long long)step, what, value, problem);
}

// Alarm ranges of pretraining.md section 9; "near 1", "0.5" and "ln M" are met to a twentieth.
static void warn(const mg_health *h, const figures *f, int64_t step)
{
    double ratio = imbalance(&f->pull);

    warn_if(f->spread < 0.1, step, "spread", f->spread, "is below 0.1: the features collapse");
    warn_if(f->cosine > 0.95, step, "cosine between samples", f->cosine, "is above 0.95");
    warn_if(f->cosine_centred > 0.95, step, "centred cosine between samples", f->cosine_centred,
            "is above 0.95");
    warn_if(f->rank < 5, step, "effective rank", f->rank, "is below 5");
    warn_if(f->emix_loss > 0.95 * log(h->n), step, "e-Mix loss", f->emix_loss,
            "is that of a guess");
    warn_if(f->shed_auroc < 0.55, step, "ShED AUROC", f->shed_auroc, "is that of a guess");
    warn_if(f->mae_textured > 0.95, step, "MAE loss on textured patches", f->mae_textured,
            "is that of a guess");
    warn_if(ratio > 30, step, "one objective's gradient is", ratio,
            "times another's on the shared weights");
}

static mg_status report(mg_health *h, const figures *f, int64_t step, mg_run *run)
{
    mg_json *record = mg_json_object();

    show(f, step);
    warn(h, f, step);
    mg_json_put_text(record, "event", "health");
    mg_json_put_int(record, "at_step", step);
    mg_json_put(record, "health", describe(h, f));
    return mg_run_metrics(run, record);
}

mg_status mg_health_measure(mg_health *h, int64_t step, mg_run *run)
{
    figures f = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, {{NAN, NAN, NAN}, {NAN, NAN, NAN}}};
    mg_status st = MG_OK;

    MG_TRY(mg_comm_agree(h->world, look_at_share(h)));
    gather_findings(h);
    if (mg_comm_rank(h->world) == 0) {
        st = make_figures(h, &f);
        if (!st) st = report(h, &f, step, run);
    }
    return mg_comm_agree(h->world, st);
}
