// RUN: np=1,2
// Scoring masks of other programs: files along any axes, label maps with other values, a file for each
// target, probabilities, regions beside the classes; what is missing counts as empty and is named; what
// does not fit is refused. On volumes, one of them with a finer original grid.
#include "tests/check.h"

#include <unistd.h>

#include "datasets/decode.h"
#include "finetune/cmd.h"
#include "finetune/scores.h"
#include "runtime/comm.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "tests/stack_data.h"

static mg_comm *world, *alone;
static char folder[64], set[96];

enum { SLICE = BALLS_HEIGHT * BALLS_WIDTH, CELLS = 18 * SLICE };

static bool first_rank(void)
{
    return mg_comm_rank(world) == 0;
}

static char *path_of(const char *dir, const char *name)
{
    char *path = mg_sprintf("%s/%s/%s", folder, dir, name), *above = mg_path_dir(path);
    OK(mg_make_dirs(above));
    mg_free(above);
    return path;
}

// --- masks of the made-up volumes -----------------------------------------------------------------------

// Head of a file of volume i on its original grid, along the axes RAS or LPI, moved by mm along x.
static mg_nifti_head head_of(int i, bool backwards, double moved)
{
    bool fine = i == BALLS_FINE;
    int depth = balls_depth(i) * (fine ? 2 : 1), size[3] = {BALLS_WIDTH, BALLS_HEIGHT, depth};
    double step[3] = {1.5, 1.5, fine ? 1.5 : 3}, affine[12] = {0};
    mg_nifti_head head;

    for (int a = 0; a < 3; a++) {
        affine[5 * a] = backwards ? -step[a] : step[a];
        affine[4 * a + 3] = backwards ? step[a] * (size[a] - 1) : 0;
    }
    affine[3] += moved;
    if (fine) affine[11] -= .5 * 1.5; // stored slice 0 lies at 0.5 of the finer grid
    mg_nifti_make_head(size, affine, &head);
    return head;
}

static int class_at(int i, size_t k)
{
    double z = (double)(k / SLICE);
    return balls_class(i, i == BALLS_FINE ? (z - .5) / 2 : z, (int)(k % SLICE / BALLS_WIDTH),
                       (int)(k % BALLS_WIDTH));
}

// A label map with the values of the two classes.
static void write_map(const char *dir, int i, const int value[2], bool backwards, double moved)
{
    mg_nifti_head head = head_of(i, backwards, moved);
    uint16_t v[CELLS];
    char name[32], *path;

    for (size_t k = 0; k < (size_t)head.depth * SLICE; k++) {
        int c = class_at(i, k);
        v[k] = c ? (uint16_t)value[c - 1] : 0;
    }
    snprintf(name, sizeof name, i % 2 ? "%d.nii" : "%d.nii.gz", i);
    path = path_of(dir, name);
    OK(mg_nifti_write(path, &head, MG_U16, v));
    mg_free(path);
}

// The probability of one class: 0.6 inside, 0.4 outside.
static void write_share(const char *dir, int i, int c)
{
    mg_nifti_head head = head_of(i, false, 0);
    float v[CELLS];
    char name[48], *path;

    for (size_t k = 0; k < (size_t)head.depth * SLICE; k++) v[k] = class_at(i, k) == c ? .6f : .4f;
    snprintf(name, sizeof name, "%s/%d.nii", c == 1 ? "liver" : "spleen", i);
    path = path_of(dir, name);
    OK(mg_nifti_write(path, &head, MG_F32, v));
    mg_free(path);
}

// --- the command ------------------------------------------------------------------------------------

static mg_status evaluate(const mg_comm *comm, const char *masks, const char *how, const char *more)
{
    char out[128], sets[128], from[128];

    snprintf(out, sizeof out, "evaluate.out=%s/scores-%s", folder, masks);
    snprintf(from, sizeof from, "evaluate.masks=%s/%s", folder, masks);
    snprintf(sets, sizeof sets, "data.sets=%s", set);
    const char *settings[] = {out,
                              from,
                              sets,
                              how,
                              more,
                              "data.part=all",
                              "evaluate.method=other",
                              "evaluate.replicates=20",
                              "evaluate.pictures=2",
                              NULL};
    int count = 0;
    while (settings[count]) count++;
    if (mg_comm_rank(comm) == 0) mg_remove_tree(strchr(out, '=') + 1);
    mg_comm_barrier(comm);
    mg_args args = {.world = comm, .command = "evaluate", .sets = {count, (char **)settings}};
    return mg_cmd_evaluate(&args);
}

static void read_scores(const char *masks, mg_scores *s)
{
    char *path = mg_sprintf("%s/scores-%s", folder, masks);
    OK(mg_scores_read(path, s));
    mg_free(path);
}

static int rows_with(const mg_scores *s, const char *in, double dice)
{
    int count = 0;
    for (int64_t i = 0; i < s->count; i++)
        count += !strcmp(s->row[i].set, in) && s->row[i].value[MG_SCORE_DICE] == dice;
    return count;
}

static const char name[] = "evaluate.mask_name={stem}";

// --- tests ------------------------------------------------------------------------------------------

// Cases 0..11 but one, some of them along other axes; values other than the classes' numbers.
// Right masks have the map of the reference; of the cases 0 and 6.
static void right_masks_make_the_reference(void)
{
    static const char *const stem[2] = {"case-000000", "case-000006"};
    mg_picture map[2];

    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 2; k++) {
            char *path =
                mg_sprintf("%s/scores-maps/maps/%s-%s.png", folder, stem[i], k ? "reference" : "1");
            OK(mg_decode_mask(path, &map[k], NULL));
            mg_free(path);
        }
        size_t cells = (size_t)map[0].height * (size_t)map[0].width;
        CHECK(cells == (size_t)map[1].height * (size_t)map[1].width && cells == SLICE);
        CHECK(memcmp(map[0].pixels, map[1].pixels, cells) == 0);
        CHECK(memchr(map[0].pixels, 1, cells) && memchr(map[0].pixels, 2, cells));
        for (int k = 0; k < 2; k++) mg_picture_free(&map[k]);
    }
}

static void maps_along_any_axes(void **state)
{
    static const int value[2] = {70, 9};
    mg_scores s;

    (void)state;
    if (first_rank()) {
        for (int i = 0; i < BALLS_ITEMS; i++)
            if (i != 5) write_map("maps", i, value, i % 3 == 1, 0);
        write_map("maps", 55, value, false, 0); // of no case
    }
    mg_comm_barrier(world);
    OK(evaluate(world, "maps", name, "evaluate.labels={70: liver, 9: [2]}"));
    if (!first_rank()) return;
    read_scores("maps", &s);
    CHECK(isnan(s.trained_share) && !strcmp(s.method, "other"));
    int all = 0;
    for (int64_t i = 0; i < s.count; i++) {
        const mg_score *r = &s.row[i];
        bool missing = !strcmp(r->id, "5.nii");
        CHECK(!strcmp(r->protocol, "masks") && r->clicks == 0);
        CHECK(r->value[MG_SCORE_DICE] == (missing ? 0 : 1));
        CHECK(r->status == (missing ? MG_PRED_EMPTY : MG_BOTH_PRESENT));
        all += !strcmp(r->class_name, "liver");
        CHECK(strcmp(r->id, "4.nii") || strcmp(r->class_name, "spleen")); // not labelled there
    }
    CHECK(all == BALLS_ITEMS);
    right_masks_make_the_reference();
    CHECK(s.sets == 1 && s.set[0].missing.count == 1 && !strcmp(s.set[0].missing.item[0], "5"));
    mg_scores_free(&s);
}

static void regions_stand_beside(void **state)
{
    mg_scores s;

    (void)state;
    if (first_rank()) {
        static const int value[2] = {1, 2};
        for (int i = 0; i < BALLS_ITEMS; i++) write_map("plain", i, value, false, 0);
    }
    mg_comm_barrier(world);
    OK(evaluate(world, "plain", "evaluate.regions={both: [1, 2]}", "evaluate.beside=true"));
    if (!first_rank()) return;
    read_scores("plain", &s);
    CHECK(rows_with(&s, "set (regions)", 1) == BALLS_ITEMS - 1); // one is labelled in part
    CHECK(rows_with(&s, "set", 1) > BALLS_ITEMS && mg_scores_groups(&s) == 2);
    CHECK(rows_with(&s, "set", 1) + rows_with(&s, "set (regions)", 1) == s.count);
    CHECK(mg_scores_set(&s, "set (regions)"));
    mg_scores_free(&s);
}

static void a_file_for_each_target(void **state)
{
    mg_scores s;

    (void)state;
    if (first_rank())
        for (int i = 0; i < BALLS_ITEMS; i++)
            for (int c = 1; c <= 2; c++)
                if (i != 7 || c != 2) write_share("shares", i, c);
    mg_comm_barrier(world);
    OK(evaluate(world, "shares", "evaluate.mask_name={target}/{stem}", "evaluate.threshold=0.5"));
    if (first_rank()) {
        read_scores("shares", &s);
        CHECK(rows_with(&s, "set", 0) == 1 && rows_with(&s, "set", 1) == s.count - 1);
        CHECK(s.set[0].missing.count == 1 && !strcmp(s.set[0].missing.item[0], "spleen/7"));
        mg_scores_free(&s);
    }
    mg_comm_barrier(world);
    OK(evaluate(world, "shares", "evaluate.mask_name={target}/{stem}", "evaluate.threshold=0.7"));
    if (first_rank()) {
        read_scores("shares", &s);
        CHECK(rows_with(&s, "set", 0) == s.count); // nothing is as sure
        mg_scores_free(&s);
    }
}

// Slices as pictures: of two balls one slice too far, the mean over the slices that are not empty in both.
static void slices_as_pictures(void **state)
{
    enum { D = 5, SIDE = 4, ONE = SIDE * SIDE };
    uint8_t gt[D * ONE] = {0}, pred[D * ONE] = {0};
    const double spacing[3] = {2, 1, 1}, tolerance[1] = {1};
    mg_target t = {D, SIDE, SIDE, gt, pred, NULL};
    mg_metric m;

    (void)state;
    for (int z = 0; z < D; z++)
        for (int k = 0; k < ONE; k++) {
            gt[z * ONE + k] = z >= 1 && z <= 2 && k < 8;
            pred[z * ONE + k] = z >= 2 && z <= 3 && k < 8;
        }
    OK(mg_metric_slices(&t, spacing, tolerance, 1, 1, &m)); // slices 1 missed, 2 right, 3 false
    CHECK(fabs(m.dice - 1.0 / 3) < 1e-12 && fabs(m.iou - 1.0 / 3) < 1e-12);
    CHECK(fabs(m.hd95 - 2 * hypot(3, 3) / 3) < 1e-12 && fabs(m.nsd[0] - 1.0 / 3) < 1e-12);
    CHECK(fabs(m.assd - m.hd95) < 1e-12 && m.status == MG_BOTH_PRESENT && m.tp == 8);
    memset(gt, 0, sizeof gt);
    memset(pred, 0, sizeof pred);
    OK(mg_metric_slices(&t, spacing, tolerance, 1, 1, &m));
    CHECK(isnan(m.dice) && isnan(m.hd95) && m.status == MG_BOTH_EMPTY);
    if (!first_rank()) return;
    mg_scores s;
    OK(evaluate(alone, "plain", name, "evaluate.slices=true"));
    read_scores("plain", &s);
    CHECK(mg_scores_groups(&s) == 2 && rows_with(&s, "set", 1) == s.count);
    mg_scores_free(&s);
}

static void what_does_not_fit_is_refused(void **state)
{
    static const int value[2] = {1, 2};

    (void)state;
    if (!first_rank()) return;
    for (int i = 0; i < BALLS_ITEMS; i++) write_map("moved", i, value, false, i == 2 ? 1.5 : 0);
    FAILS(evaluate(alone, "moved", name, "evaluate.empty=one"), MG_ERR_FORMAT, "2.nii.gz");
    for (int i = 0; i < BALLS_ITEMS; i++) write_map("size", i, value, false, 0);
    char *from = path_of("size", "3.nii"), *to = path_of("size", "1.nii");
    CHECK(rename(from, to) == 0);
    FAILS(evaluate(alone, "size", name, "evaluate.empty=one"), MG_ERR_FORMAT,
          "24 x 20 x 7 voxels (RAS+), expected 24 x 20 x 6");
    mg_free(from), mg_free(to);
    FAILS(evaluate(alone, "plain", name, "evaluate.labels={1: liver}"), MG_ERR_FORMAT,
          "holds the value 2");
    FAILS(evaluate(alone, "plain", name, "evaluate.labels={1: lung}"), MG_ERR_CONFIG, "value 1");
    FAILS(evaluate(alone, "plain", name, "evaluate.threshold=0.5"), MG_ERR_CONFIG, "{target}");
    FAILS(evaluate(alone, "plain", name, "evaluate.model=x"), MG_ERR_CONFIG, "both set");
    FAILS(evaluate(alone, "plain", "evaluate.mask_name=mask", "evaluate.empty=one"), MG_ERR_CONFIG,
          "neither");
    FAILS(evaluate(alone, "plain", "evaluate.mask_name={case}", "evaluate.empty=one"),
          MG_ERR_CONFIG, "'{case}'");
    FAILS(evaluate(alone, "plain", "evaluate.mask_name=label{stem}", "evaluate.empty=one"),
          MG_ERR_FORMAT, "looked for 'label0'");
    FAILS(evaluate(alone, "shares", "evaluate.mask_name={target}/{stem}", "evaluate.empty=one"),
          MG_ERR_FORMAT, "expected a whole number");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_along_any_axes), cmocka_unit_test(regions_stand_beside),
        cmocka_unit_test(a_file_for_each_target), cmocka_unit_test(slices_as_pictures),
        cmocka_unit_test(what_does_not_fit_is_refused)};

    alarm(120); // a test that fails on one rank leaves the others waiting
    if (mg_comm_start(&argc, &argv, &world) || mg_comm_alone(&alone)) return 1;
    mg_log_init(mg_comm_rank(world), mg_comm_size(world));
    snprintf(folder, sizeof folder, "build/test_masks%d", mg_comm_size(world));
    snprintf(set, sizeof set, "%s/set", folder);
    if (first_rank()) mg_remove_tree(folder);
    mg_comm_barrier(world);
    OK(balls_pack(world, set));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mg_comm_barrier(world);
    if (first_rank()) mg_remove_tree(folder);
    mg_comm_end(&alone);
    mg_comm_end(&world);
    return failed;
}
