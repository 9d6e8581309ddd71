// RUN: np=1
// Prediction on volumes with the real commands: the same masks as evaluation for the same clicks, whatever
// the axes, type and grid of the file; geometry kept bit for bit; memory that does not grow with stacks.
#include "tests/check.h"

#include "datasets/cmd.h"
#include "datasets/decode.h"
#include "finetune/cmd.h"
#include "finetune/seg_eval.h"
#include "runtime/comm.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "shard/cmd.h"
#include "tests/stack_data.h"

static mg_comm *alone;
static char folder[64];

static char *in_folder(const char *name)
{
    static char path[4][160];
    static int turn;
    char *to = path[turn++ % 4];
    snprintf(to, sizeof path[0], "%s/%s", folder, name);
    return to;
}

// Run a command with settings "key=value" on `inputs`; both are ended by NULL.
static mg_status command(mg_status (*run)(const mg_args *), const char *name,
                         const char *const *inputs, const char *const *settings)
{
    int count = 0, argc = 0;
    while (settings[count]) count++;
    while (inputs && inputs[argc]) argc++;
    mg_args args = {.world = alone,
                    .command = name,
                    .sets = {count, (char **)settings},
                    .argc = argc,
                    .argv = (char **)inputs};
    return run(&args);
}

static void train(const char *set, const char *run, const char *branch)
{
    char sets[200], out[200];
    snprintf(sets, sizeof sets, "data.sets=%s", in_folder(set));
    snprintf(out, sizeof out, "train.out=%s", in_folder(run));
    const char *settings[] = {BALLS_MODEL,
                              sets,
                              out,
                              "data.part=all",
                              "train.batch=2",
                              "train.leaves=2",
                              "train.steps=6",
                              "train.lr=0.01",
                              "train.warmup=0",
                              "train.save_every=100",
                              branch,
                              "prompts.box_weight=0.5",
                              NULL};
    OK(command(mg_cmd_finetune, "finetune", NULL, settings));
}

// --- a case as evaluation sees it -------------------------------------------------------------------

typedef struct {
    mg_finetune_config trained;
    mg_seg_model model;
    mg_reader *reader;
    mg_evaluator *evaluator;
} scorer;

static void open_scorer(const char *set, const char *run, mg_eval_form form, scorer *s)
{
    const char *sets[] = {in_folder(set)};
    mg_eval_plan plan = {.clicks = {1}, .click_protocols = 1, .carry = true, .threads = 1};

    *s = (scorer){0};
    plan.form[form] = true;
    OK(mg_seg_model_open(alone, in_folder(run), "", &s->trained, &s->model));
    plan.slices = (int)s->trained.model.slices;
    OK(mg_reader_open(sets, 1, "all", &s->reader));
    OK(mg_evaluator_create(&s->model, s->reader, &plan, &s->evaluator));
}

static void close_scorer(scorer *s)
{
    mg_evaluator_destroy(&s->evaluator);
    mg_reader_close(&s->reader);
    mg_seg_model_free(&s->model);
    mg_finetune_config_free(&s->trained);
}

static int64_t item_named(const mg_reader *r, const char *part)
{
    for (int64_t i = 0; i < mg_reader_count(r); i++)
        if (strstr(mg_reader_item(r, i)->name, part)) return i;
    fail_msg("no item '%s'", part);
    return -1;
}

static mg_status keep_metric(void *ctx, const mg_eval_target *t)
{
    mg_metric *metric = ctx;
    metric[t->number] = t->row[0].metric;
    return MG_OK;
}

// First click of a class: on the worst slice, or on every slice that has it. Returns how many.
static int first_clicks(const mg_reader *r, int64_t i, int class_number, bool every, mg_click *out)
{
    const mg_shard_item *item = mg_reader_item(r, i);
    size_t cells = (size_t)item->depth * item->height * item->width;
    uint8_t *gt = mg_alloc(cells);
    mg_target t = {item->depth, item->height, item->width, gt, NULL, NULL};
    mg_clicker *clicker;
    int count = 0;

    OK(mg_reader_mask(r, i, 0, item->depth, class_number, gt, NULL));
    OK(mg_clicker_create(item->depth, item->height, item->width, false, 1, &clicker));
    for (int z = 0; z < (every ? item->depth : 1); z++) {
        mg_click click =
            every ? mg_click_edt(clicker, &t, z, NULL, 0) : mg_click_stack(clicker, &t, NULL, 0);
        if (click.label == 1) out[count++] = click;
    }
    mg_clicker_destroy(&clicker);
    mg_free(gt);
    return count;
}

// The mask file holds what evaluation scored: counts and distances are the same.
static void expect_metric(const mg_reader *r, int64_t i, int class_number, const char *mask,
                          const mg_metric *want)
{
    const mg_shard_item *item = mg_reader_item(r, i);
    size_t cells = (size_t)item->full_depth * item->full_height * item->full_width;
    uint8_t *gt = mg_alloc(cells), *pred = mg_alloc(cells);
    mg_target t = {item->full_depth, item->full_height, item->full_width, gt, pred, NULL};
    mg_volume_file file;
    mg_metric got;

    OK(mg_reader_full_mask(r, i, class_number, gt, NULL));
    OK(mg_decode_labels(mask, &file));
    CHECK(file.depth == t.depth && file.height == t.height && file.width == t.width);
    for (size_t k = 0; k < cells; k++) pred[k] = (uint8_t)((uint16_t *)file.pixels)[k];
    OK(mg_metric_measure(&t, 3, item->volume->full_spacing, NULL, 0, 1, &got));
    CHECK(got.tp == want->tp && got.fp == want->fp && got.fn == want->fn && got.tn == want->tn);
    CHECK(got.surface_pred == want->surface_pred && got.status == want->status);
    CHECK(got.status != MG_BOTH_PRESENT || got.hd95 == want->hd95);
    mg_volume_file_free(&file);
    mg_free(gt), mg_free(pred);
}

// "x,y,z x,y,z" of cells under a matrix (index x, y, z to what is written).
static void print_clicks(const mg_click *click, int count, const double m[12], char *out,
                         size_t room)
{
    size_t used = (size_t)snprintf(out, room, "predict.clicks=");
    for (int k = 0; k < count; k++)
        for (int a = 0; a < 3; a++) {
            const double *row = m + 4 * a;
            double v = row[0] * click[k].x + row[1] * click[k].y + row[2] * click[k].z + row[3];
            used += (size_t)snprintf(out + used, room - used, "%.9g%c", v, a < 2 ? ',' : ' ');
        }
}

static const double identity[12] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};

static mg_status predict_files(const char *const *files, const char *run, const char *clicks,
                               const char *mask, const char *const *more)
{
    char model[200], out[200];
    const char *settings[16] = {model, out, clicks};
    int count = 3;

    snprintf(model, sizeof model, "predict.model=%s", in_folder(run));
    snprintf(out, sizeof out, "predict.out=%s", mask);
    while (more && *more) settings[count++] = *more++;
    return command(mg_cmd_predict, "predict", files, settings);
}

static mg_status predict(const char *volume, const char *run, const char *clicks, const char *mask,
                         const char *const *more)
{
    return predict_files((const char *const[]){volume, NULL}, run, clicks, mask, more);
}

// --- the balls: our grid is that of the file --------------------------------------------------------

// The values of a case of stack_data.h.
static mg_sample ball_case(int i)
{
    char name[32];
    mg_item item = {.name = name};
    mg_sample s;

    snprintf(name, sizeof name, "%d.nii", i);
    OK(balls_read(NULL, NULL, NULL, &item, NULL, &s));
    return s;
}

// Write it along other axes: our axis a (x, y, z) is file axis axis[a], backwards if flip[a]. The matrix from
// our cells to the file's voxels goes to `turn`.
static void write_ball(const mg_sample *s, const char *path, const int axis[3], const bool flip[3],
                       mg_dtype type, double turn[12])
{
    const int ours[3] = {s->width, s->height, s->depth};
    size_t cells = (size_t)s->depth * s->height * s->width;
    double affine[12] = {0};
    int size[3];
    mg_nifti_head head;
    void *values = mg_alloc(cells * mg_dtype_size(type));

    memset(turn, 0, 12 * sizeof *turn);
    for (int a = 0; a < 3; a++) {
        double step = s->volume.affine[5 * a];
        size[axis[a]] = ours[a];
        affine[4 * a + axis[a]] = flip[a] ? -step : step;
        affine[4 * a + 3] = flip[a] ? step * (ours[a] - 1) : 0;
        turn[4 * axis[a] + a] = flip[a] ? -1 : 1;
        turn[4 * axis[a] + 3] = flip[a] ? ours[a] - 1 : 0;
    }
    mg_nifti_make_head(size, affine, &head);
    for (size_t k = 0; k < cells; k++) {
        int16_t v = ((const int16_t *)s->pixels)[k];
        if (type == MG_I16) ((int16_t *)values)[k] = v;
        if (type == MG_I32) ((int32_t *)values)[k] = v;
        if (type == MG_F32) ((float *)values)[k] = v;
    }
    OK(mg_nifti_write(path, &head, type, values));
    mg_free(values);
}

// Bytes 76 to 327 of both headers but for dim, type and scaling: pixdim, units, qform, sform.
static void same_geometry(const char *a, const char *b)
{
    mg_nifti_head x, y;
    OK(mg_nifti_read_head("", a, &x));
    OK(mg_nifti_read_head("", b, &y));
    assert_memory_equal(&x.geometry, &y.geometry, sizeof x.geometry);
    assert_memory_equal(x.size, y.size, sizeof x.size);
}

static const int straight[3] = {0, 1, 2}, rolled[3] = {1, 2, 0};
static const bool forward[3] = {false, false, false}, mirrored[3] = {true, false, true};

// One click for a stack that is the whole case, and one for each slice of several stacks.
static void as_evaluation(void **state)
{
    static const struct {
        const char *run; // with a depth branch, and without
        int item;
        mg_eval_form form;
    } cases[] = {{"run", 2, MG_EVAL_STACK},      {"run", 4, MG_EVAL_STACK},
                 {"flat-run", 6, MG_EVAL_STACK}, {"run", 9, MG_EVAL_STACK},
                 {"run", 5, MG_EVAL_SLICE},      {"flat-run", 5, MG_EVAL_SLICE},
                 {"run", 8, MG_EVAL_SLICE},      {"flat-run", 8, MG_EVAL_SLICE}};
    const char *by_slice[] = {"predict.volume=slice", NULL};
    int64_t voxels = 0;
    double turn[12];

    (void)state;
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        mg_sample s = ball_case(cases[n].item);
        mg_metric want[3] = {0};
        scorer e;
        char name[16];
        snprintf(name, sizeof name, "%d.nii", cases[n].item);
        write_ball(&s, in_folder("ball.nii.gz"), straight, forward, MG_I16, turn);
        open_scorer("set", cases[n].run, cases[n].form, &e);
        int64_t i = item_named(e.reader, name);
        OK(mg_evaluator_run(e.evaluator, i, NULL, keep_metric, want));
        for (int c = 1; c <= 2; c++) {
            mg_click click[16];
            char clicks[600];
            if (want[c].tp + want[c].fn == 0) continue;
            int count = first_clicks(e.reader, i, c, cases[n].form == MG_EVAL_SLICE, click);
            print_clicks(click, count, identity, clicks, sizeof clicks);
            OK(predict(in_folder("ball.nii.gz"), cases[n].run, clicks, in_folder("m.nii.gz"),
                       cases[n].form == MG_EVAL_SLICE ? by_slice : NULL));
            expect_metric(e.reader, i, c, in_folder("m.nii.gz"), &want[c]);
            voxels += want[c].tp + want[c].fp;
        }
        close_scorer(&e);
        mg_sample_free(&s);
    }
    CHECK(voxels > 100); // or nothing was compared
}

// The same voxels along other axes, in other types, and coordinates in mm.
static void axes_and_types(void **state)
{
    static const struct {
        const int *axis;
        const bool *flip;
        mg_dtype type;
        bool mm;
        const char *name;
    } cases[] = {{straight, forward, MG_I16, false, "a.nii"},
                 {straight, mirrored, MG_I32, false, "b.nii.gz"},
                 {rolled, mirrored, MG_F32, false, "c.nii"},
                 {rolled, forward, MG_I16, true, "d.nii.gz"}};
    const mg_click click[3] = {{7, 9, 3, 1}, {8, 9, 1, 1}, {16, 10, 5, 1}};
    mg_sample s = ball_case(5);
    mg_volume_file first = {0}, other;

    (void)state;
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        char clicks[600], probability[200];
        const char *more[] = {probability, cases[n].mm ? "predict.coordinates=mm" : NULL, NULL};
        double turn[12];
        snprintf(probability, sizeof probability, "predict.probability=%s", in_folder("p.nii.gz"));
        write_ball(&s, in_folder(cases[n].name), cases[n].axis, cases[n].flip, cases[n].type, turn);
        print_clicks(click, 3, cases[n].mm ? s.volume.affine : turn, clicks, sizeof clicks);
        OK(predict(in_folder(cases[n].name), "run", clicks, in_folder("m.nii.gz"), more));
        same_geometry(in_folder(cases[n].name), in_folder("m.nii.gz"));
        same_geometry(in_folder(cases[n].name), in_folder("p.nii.gz"));
        OK(mg_decode_labels(in_folder("m.nii.gz"), &other));
        size_t cells = (size_t)other.depth * other.height * other.width;
        if (n == 0) {
            size_t inside = 0;
            mg_nifti p;
            float *values = mg_alloc(cells * sizeof *values);
            int64_t odd;
            OK(mg_nifti_read("", in_folder("p.nii.gz"), -1, &p));
            mg_nifti_real(&p, values, &odd);
            for (size_t k = 0; k < cells; k++) {
                bool there = ((uint16_t *)other.pixels)[k] == 1;
                inside += there;
                CHECK(there == (values[k] > 0.5f) && values[k] >= 0 && values[k] <= 1);
            }
            CHECK(inside > 20 && inside < cells);
            mg_free(values);
            mg_nifti_free(&p);
            first = other;
            continue;
        }
        CHECK(other.depth == first.depth && other.height == first.height);
        assert_memory_equal(first.pixels, other.pixels, cells * sizeof(uint16_t));
        mg_volume_file_free(&other);
    }
    mg_volume_file_free(&first);
    mg_sample_free(&s);
}

// Several targets in one map: where both want a voxel, the larger logit; alone each has what it has alone.
static void several_targets(void **state)
{
    const char *json = "{\"targets\": [{\"name\": \"liver\", \"clicks\": [[7, 9, 3]]},"
                       "{\"name\": \"spleen\", \"clicks\": [[17, 10, 4], [7, 9, 4, 0]], \"box\": "
                       "[12, 5, 3, 21, 14, 5]}]}";
    const char *const alone_is[2] = {"predict.clicks=7,9,3", "predict.clicks=17,10,4 7,9,4,0"};
    char prompts[200], overlay[200], probability[200];
    const char *more[] = {overlay, probability, NULL},
               *box[] = {"predict.box=12,5,3,21,14,5", NULL};
    mg_sample s = ball_case(5);
    size_t cells = (size_t)s.depth * s.height * s.width;
    double turn[12];
    mg_volume_file both, one[2];
    mg_picture sheet;
    mg_nifti p[2];

    (void)state;
    write_ball(&s, in_folder("ball.nii"), straight, forward, MG_I16, turn);
    OK(mg_write_file(in_folder("prompts.json"), json, strlen(json)));
    snprintf(prompts, sizeof prompts, "predict.prompts=%s", in_folder("prompts.json"));
    snprintf(overlay, sizeof overlay, "predict.overlay=%s", in_folder("o.png"));
    snprintf(probability, sizeof probability, "predict.probability=%s", in_folder("p.nii.gz"));
    OK(predict(in_folder("ball.nii"), "run", prompts, in_folder("m.nii.gz"), more));
    OK(mg_decode_labels(in_folder("m.nii.gz"), &both));
    OK(mg_nifti_read("", in_folder("p-1.nii.gz"), -1, &p[0]));
    OK(mg_nifti_read("", in_folder("p-2.nii.gz"), -1, &p[1]));
    for (int t = 0; t < 2; t++) {
        OK(predict(in_folder("ball.nii"), "run", alone_is[t], in_folder("one.nii.gz"),
                   t ? box : NULL));
        OK(mg_decode_labels(in_folder("one.nii.gz"), &one[t]));
    }
    for (size_t k = 0; k < cells; k++) {
        const float v[2] = {((float *)p[0].data)[k], ((float *)p[1].data)[k]};
        bool in[2] = {((uint16_t *)one[0].pixels)[k] == 1, ((uint16_t *)one[1].pixels)[k] == 1};
        int got = ((uint16_t *)both.pixels)[k];
        CHECK(in[0] == (v[0] > .5f) && in[1] == (v[1] > .5f));
        if (in[0] && in[1])
            CHECK(v[0] == v[1] ? got > 0 : got == (v[1] > v[0] ? 2 : 1)); // rounded alike
        else
            CHECK(got == (in[0] ? 1 : in[1] ? 2 : 0));
    }
    OK(mg_decode_file(in_folder("o.png"), 0, &sheet));
    CHECK(sheet.width > 600 && sheet.channels == 3);
    mg_picture_free(&sheet);
    mg_volume_file_free(&both);
    for (int t = 0; t < 2; t++) mg_volume_file_free(&one[t]), mg_nifti_free(&p[t]);
    mg_sample_free(&s);
}

// --- another grid: resampled and cut ----------------------------------------------------------------

// A click on every slice of some classes of the first case, given in mm: what evaluation scored.
static void expect_scores(scorer *e, const char *const *files, const char *run)
{
    const char *by_slice[] = {"predict.volume=slice", "predict.coordinates=mm", NULL};
    const mg_shard_item *item = mg_reader_item(e->reader, 0);
    mg_metric want[17] = {0};
    int compared = 0;

    OK(mg_evaluator_run(e->evaluator, 0, NULL, keep_metric, want));
    for (int c = 1; c <= mg_reader_classes(e->reader) && compared < 3; c++) {
        mg_click click[64];
        char clicks[4000];
        if (want[c].tp + want[c].fp == 0) continue;
        int count = first_clicks(e->reader, 0, c, true, click);
        print_clicks(click, count, item->volume->affine, clicks, sizeof clicks);
        OK(predict_files(files, run, clicks, in_folder("m.nii.gz"), by_slice));
        same_geometry(files[0], in_folder("m.nii.gz"));
        expect_metric(e->reader, 0, c, in_folder("m.nii.gz"), &want[c]);
        compared++;
    }
    CHECK(compared > 0);
}

static void as_evaluation_on_another_grid(void **state)
{
    scorer e;

    (void)state;
    open_scorer("resampled", "amos-run", MG_EVAL_SLICE, &e);
    CHECK(!strcmp(e.trained.modality, "CT") && e.trained.crop && !e.trained.contrasts[0]);
    CHECK(e.trained.spacing.count == 3 && !strcmp(e.trained.spacing.item[0], "3"));
    char *volume = mg_sprintf("%s/%s", in_folder("amos"), mg_reader_item(e.reader, 0)->name);
    expect_scores(&e, (const char *const[]){volume, NULL}, "amos-run");
    mg_free(volume);
    close_scorer(&e);
}

// MR of three contrasts: a file for each, in the order of the training.
static void as_evaluation_of_contrasts(void **state)
{
    static const char *const kind[3] = {"flair", "t1ce", "t2"};
    char *file[4] = {NULL};
    scorer e;

    (void)state;
    open_scorer("contrasts", "brats-run", MG_EVAL_SLICE, &e);
    CHECK(!strcmp(e.trained.modality, "other") && !strcmp(e.trained.contrasts, "flair,t1ce,t2"));
    const char *name = mg_reader_item(e.reader, 0)->name;
    for (int k = 0; k < 3; k++)
        file[k] =
            mg_sprintf("%s/RSNA_ASNR_MICCAI_BraTS2021_TrainingData_16July2021/%s/%s_%s.nii.gz",
                       in_folder("brats"), name, name, kind[k]);
    expect_scores(&e, (const char *const *)file, "brats-run");
    FAILS(predict(file[0], "brats-run", "predict.clicks=1,2,3", in_folder("m.nii.gz"), NULL),
          MG_ERR_CONFIG, "in this order: flair,t1ce,t2");
    FAILS(predict_files((const char *const *)file, "run", "predict.clicks=1,2,3",
                        in_folder("m.nii.gz"), NULL),
          MG_ERR_CONFIG, "3 volumes are named, expected 1");
    for (int k = 0; k < 3; k++) mg_free(file[k]);
    close_scorer(&e);
}

static void what_is_wrong_is_said(void **state)
{
    mg_sample s = ball_case(5);
    const char *window[] = {"data.window=5", NULL}, *spacing[] = {"data.spacing=1,2", NULL};
    const char *both[] = {"predict.prompts=p.json", NULL};
    char *volume = mg_strdup(in_folder("ball.nii")), *out = mg_strdup(in_folder("m.nii.gz"));
    double turn[12];
    char *bytes;
    size_t n;

    (void)state;
    write_ball(&s, volume, rolled, mirrored, MG_I16, turn);
    FAILS(predict(volume, "run", "predict.clicks=7,9,3", "m.png", NULL), MG_ERR_CONFIG, ".nii.gz");
    FAILS(predict(volume, "run", "predict.clicks=7,9", out, NULL), MG_ERR_CONFIG, "x,y,z");
    FAILS(predict(volume, "run", "predict.clicks=8,9,3", out, NULL), MG_ERR_CONFIG,
          "8 x 24 x 20 voxels");
    FAILS(predict(volume, "run", "predict.clicks=1,2,3,0", out, NULL), MG_ERR_CONFIG, "label 0");
    FAILS(predict(volume, "run", "predict.box=1,2,3,4,5", out, NULL), MG_ERR_CONFIG, "z0");
    FAILS(predict(volume, "run", "predict.clicks=1,2,3", out, window), MG_ERR_CONFIG,
          "data.window");
    FAILS(predict(volume, "run", "predict.clicks=1,2,3", out, spacing), MG_ERR_CONFIG,
          "data.spacing");
    FAILS(predict(volume, "run", "predict.clicks=1,2,3", out, both), MG_ERR_CONFIG,
          "together with predict.clicks");
    // A series of two volumes.
    OK(mg_read_file(volume, 1 << 20, &bytes, &n));
    char *series = mg_calloc(2 * n, 1);
    memcpy(series, bytes, n);
    series[40] = 4; // dim[0], dim[4]
    series[48] = 2;
    OK(mg_write_file(in_folder("series.nii"), series, n + (n - 352)));
    FAILS(predict(in_folder("series.nii"), "run", "predict.clicks=1,2,3", out, NULL), MG_ERR_FORMAT,
          "2 frames");
    mg_free(series), mg_free(bytes), mg_free(volume), mg_free(out);
    mg_sample_free(&s);
}

// A phantom of a data set, packed with two more settings.
static void make_set(const char *dataset, const char *name, const char *first, const char *second)
{
    char what[64], set[64], out[200], root[200], to[200];
    const char *phantom[] = {what, out, "phantom.count=2", "phantom.size=24", NULL};
    const char *shard[] = {set, root, to, first, second, NULL};

    snprintf(what, sizeof what, "phantom.dataset=%s", dataset);
    snprintf(set, sizeof set, "shard.dataset=%s", dataset);
    snprintf(out, sizeof out, "phantom.out=%s", in_folder(dataset));
    snprintf(root, sizeof root, "shard.root=%s", in_folder(dataset));
    snprintf(to, sizeof to, "shard.out=%s", in_folder(name));
    OK(command(mg_cmd_phantom, "phantom", NULL, phantom));
    OK(command(mg_cmd_shard, "shard", NULL, shard));
}

static int make_sets(void **state)
{
    (void)state;
    if (mg_comm_alone(&alone) || !check_folder(folder, "predict-volume")) return -1;
    mg_log_init(0, 1);
    OK(balls_pack(alone, in_folder("set")));
    make_set("amos", "resampled", "amos.spacing=3,3,0", "amos.crop=true");
    make_set("brats", "contrasts", "brats.crop=true", "shard.level=3");
    train("set", "run", "model.depth_branch=true");
    train("set", "flat-run", "model.depth_branch=false");
    train("resampled", "amos-run", "model.depth_branch=false");
    train("contrasts", "brats-run", "model.depth_branch=true");
    return 0;
}

static int remove_sets(void **state)
{
    (void)state;
    mg_remove_tree(folder);
    mg_comm_end(&alone);
    return mg_mem_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_evaluation),
                                       cmocka_unit_test(axes_and_types),
                                       cmocka_unit_test(several_targets),
                                       cmocka_unit_test(as_evaluation_on_another_grid),
                                       cmocka_unit_test(as_evaluation_of_contrasts),
                                       cmocka_unit_test(what_is_wrong_is_said)};
    return cmocka_run_group_tests(tests, make_sets, remove_sets);
}
