// Scores: rows to text and back, the same files from any order of rows, tables, class means, clicks,
// summary.json; files that are no scores.
#include "tests/check.h"

#include <unistd.h>

#include "finetune/cells.h"
#include "finetune/scores.h"
#include "runtime/mem.h"

static mg_score make_row(const char *protocol, int case_number, int class_number, char *id)
{
    static const char *const names[] = {"", "disc", "cup, \"inner\""};
    mg_score r = {.set = "fundus", .protocol = protocol, .class_number = class_number};
    double v = 0.5 + 0.01 * case_number + 0.1 * class_number;

    snprintf(id, 32, "case %d", case_number);
    r.id = id;
    r.class_name = names[class_number];
    for (int k = 0; k < MG_SCORES; k++) r.value[k] = v + k / 3.0;
    r.clicks = 3;
    r.curve = 3;
    for (int k = 0; k < 3; k++) {
        r.dice_after[k] = v + 0.1 * k;
        r.iou_after[k] = v + 0.09 * k;
    }
    return r;
}

// 12 cases of two classes in two protocols; class 2 is missing in every third case.
static void add_rows(mg_scores *s, bool backwards)
{
    char id[32];

    for (int j = 0; j < 12; j++) {
        int i = backwards ? 11 - j : j;
        for (int p = 0; p < 2; p++)
            for (int c = 1; c <= 2; c++) {
                mg_score r = make_row(p ? "10 clicks" : "3 clicks", i, c, id);
                if (c == 2 && i % 3 == 0) continue;
                if (c == 2 && i == 1) {
                    mg_metric m = {.status = MG_BOTH_EMPTY, .dice = NAN, .iou = NAN, .hd95 = NAN};
                    m.hd95_pooled = m.assd = m.nsd[0] = NAN;
                    mg_score_take(&r, &m, 0);
                    r.curve = 0;
                }
                OK(mg_scores_add(s, &r));
            }
    }
    OK(mg_scores_describe(s, "fundus", "px", true));
    s->method = mg_strdup("MSA");
    s->trained_share = 0.187;
    s->nsd_tolerance = 2;
}

static void text_and_back(void **state)
{
    (void)state;
    mg_scores a = {0}, b = {0};
    char *first, *second;

    add_rows(&a, false);
    OK(mg_scores_print(&a, &first));
    OK(mg_scores_parse(&b, first, "rows"));
    OK(mg_scores_print(&b, &second));
    CHECK(!strcmp(first, second));
    CHECK(a.count == b.count && a.count == 12 * 4 - 8);
    for (int64_t i = 0; i < a.count; i++) {
        CHECK(!strcmp(a.row[i].class_name, b.row[i].class_name));
        size_t bytes = (size_t)a.row[i].curve * sizeof(double);
        CHECK(a.row[i].curve == b.row[i].curve);
        CHECK(!memcmp(a.row[i].dice_after, b.row[i].dice_after, bytes));
        CHECK(isnan(a.row[i].value[2]) ? isnan(b.row[i].value[2])
                                       : a.row[i].value[2] == b.row[i].value[2]);
    }
    mg_free(first);
    mg_free(second);
    mg_scores_free(&a);
    mg_scores_free(&b);
}

static void same_files_from_any_order(void **state)
{
    (void)state;
    char dir[2][64], *text[2][2];

    for (int k = 0; k < 2; k++) {
        mg_scores s = {0};
        snprintf(dir[k], sizeof dir[k], "/tmp/mg_scores_%d_%d", (int)getpid(), k);
        OK(mg_make_dirs(dir[k]));
        CHECK(!mg_scores_exist(dir[k]));
        add_rows(&s, k == 1);
        OK(mg_scores_write(&s, dir[k], 3, 200));
        CHECK(mg_scores_exist(dir[k]));
        mg_scores_free(&s);
        for (int f = 0; f < 2; f++) {
            char *path = mg_path_join(dir[k], f ? "summary.json" : "cases.csv");
            OK(mg_read_file(path, 1 << 20, &text[k][f], NULL));
            mg_free(path);
        }
    }
    CHECK(!strcmp(text[0][0], text[1][0]) && !strcmp(text[0][1], text[1][1]));
    // Read back: natural order of protocols and cases.
    mg_scores s;
    OK(mg_scores_read(dir[0], &s));
    CHECK(!strcmp(s.row[0].protocol, "3 clicks") && !strcmp(s.row[0].id, "case 0"));
    CHECK(!strcmp(s.row[s.count - 1].protocol, "10 clicks"));
    CHECK(!strcmp(s.row[s.count - 1].id, "case 11"));
    CHECK(!strcmp(s.method, "MSA") && s.trained_share == 0.187 && s.nsd_tolerance == 2);
    CHECK(mg_scores_set(&s, "fundus")->phantom && !strcmp(mg_scores_set(&s, "fundus")->unit, "px"));
    CHECK(!mg_scores_set(&s, "other"));
    mg_scores_free(&s);
    for (int k = 0; k < 2; k++) {
        mg_free(text[k][0]);
        mg_free(text[k][1]);
        OK(mg_remove_tree(dir[k]));
    }
}

static void tables(void **state)
{
    (void)state;
    mg_scores s = {0};
    mg_score_table t;
    mg_summary sum;
    mg_interval interval;

    add_rows(&s, true);
    mg_scores_sort(&s);
    CHECK(mg_scores_groups(&s) == 2);
    OK(mg_scores_table(&s, 1, &t));
    CHECK(!strcmp(t.protocol, "10 clicks") && t.cases == 12 && t.classes == 2 && t.rows == 20);
    CHECK(!strcmp(t.class_name[1], "cup, \"inner\"") && t.empty == 1 && t.missed == 0);
    CHECK(isnan(t.value[MG_SCORE_DICE][0 * 2 + 1]) && isnan(t.value[MG_SCORE_DICE][1 * 2 + 1]));
    CHECK(fabs(t.value[MG_SCORE_DICE][11 * 2 + 1] - 0.81) < 1e-12);

    OK(mg_score_summary(&t, MG_SCORE_DICE, 0, 1, 500, &sum, &interval));
    CHECK(sum.n == 12 && fabs(sum.mean - 0.655) < 1e-12);
    CHECK(interval.low < 0.655 && interval.high > 0.655 && interval.high - interval.low < 0.06);
    OK(mg_score_summary(&t, MG_SCORE_DICE, 1, 1, 0, &sum, &interval));
    double cup = (2 + 4 + 5 + 7 + 8 + 10 + 11) / 7.0 * 0.01 + 0.7;
    CHECK(sum.n == 7 && fabs(sum.mean - cup) < 1e-12 && isnan(interval.low));
    OK(mg_score_summary(&t, MG_SCORE_DICE, -1, 1, 500, &sum, &interval));
    CHECK(sum.n == 12 && fabs(sum.mean - (0.655 + cup) / 2) < 1e-12);
    mg_score_table_free(&t);
    mg_scores_free(&s);
}

static void clicks(void **state)
{
    (void)state;
    mg_scores s = {0};
    mg_score_table t;
    char id[32];

    for (int i = 0; i < 4; i++) {
        mg_score r = make_row("3 clicks", i, 1, id);
        double iou[4][3] = {{0.7, 0.8, 0.9}, {0.9, NAN, NAN}, {0.1, 0.2, 0.3}, {0.86, 0.84, 0.85}};
        memcpy(r.iou_after, iou[i], sizeof iou[i]);
        OK(mg_scores_add(&s, &r));
    }
    OK(mg_scores_table(&s, 0, &t));
    mg_noc_summary n = mg_score_noc(&t);
    CHECK(n.rows == 4 && n.mean[0] == (2 + 1 + 3 + 1) / 4.0 && n.failed[0] == 1);
    CHECK(n.mean[2] == (3 + 1 + 3 + 3) / 4.0 && n.failed[2] == 2);
    mg_score_table_free(&t);
    mg_scores_free(&s);
}

static void missing_masks_stay_finite(void **state)
{
    (void)state;
    static uint8_t gt[30] = {1}, pred[30];
    mg_target t = {1, 5, 6, gt, pred, NULL};
    double one = 1;
    mg_metric m;
    mg_score r = {0};

    OK(mg_metric_measure(&t, 2, (double[]){1, 1, 1}, &one, 1, 1, &m));
    mg_score_take(&r, &m, 0);
    CHECK(r.status == MG_PRED_EMPTY && r.value[MG_SCORE_DICE] == 0);
    for (int k = MG_SCORE_HD95; k <= MG_SCORE_ASSD; k++)
        CHECK(fabs(r.value[k] - sqrt(41)) < 1e-12 && mg_score_is_distance((mg_score_kind)k));
    CHECK(!mg_score_is_distance(MG_SCORE_NSD));
}

// A table from before the columns of msa_score.
static void older_tables(void **state)
{
    (void)state;
    mg_scores s = {0}, old = {0};
    char *text, *end;

    add_rows(&s, false);
    s.count = 1;
    s.row[0].value[MG_SCORE_MSA_DICE] = 0.5;
    s.row[0].value[MG_SCORE_MSA_IOU] = 0.25;
    OK(mg_scores_print(&s, &text));
    OK(mg_scores_parse(&old, text, "x.csv"));
    CHECK(old.row[0].value[MG_SCORE_MSA_DICE] == 0.5 && old.row[0].value[MG_SCORE_MSA_IOU] == 0.25);
    mg_scores_free(&old);
    static const char *const parts[] = {",msa_score,msa_score_iou", ",0.5,0.25\n"};
    for (int i = 0; i < 2; i++) {
        CHECK((end = strstr(text, parts[i])) != NULL);
        memmove(end, end + strlen(parts[i]), strlen(end + strlen(parts[i])) + 1);
    }
    OK(mg_scores_parse(&old, text, "x.csv"));
    CHECK(isnan(old.row[0].value[MG_SCORE_MSA_DICE]));
    CHECK(old.row[0].value[MG_SCORE_DICE] == s.row[0].value[MG_SCORE_DICE]);
    mg_free(text);
    mg_scores_free(&s);
    mg_scores_free(&old);
}

static void bad_text(void **state)
{
    (void)state;
    mg_scores s = {0};
    char *good, bad[4096];

    add_rows(&s, false);
    s.count = 1;
    OK(mg_scores_print(&s, &good));
    FAILS(mg_scores_parse(&s, "dice,iou\n", "x.csv"), MG_ERR_FORMAT, "'x.csv' does not begin");
    snprintf(bad, sizeof bad, "%sfundus,3 clicks\n", good);
    FAILS(mg_scores_parse(&s, bad, "x.csv"), MG_ERR_FORMAT, "'x.csv' line 3 is no row");
    snprintf(bad, sizeof bad, "%sa,b,c,1,d,high,,,,,,0,0,,,,,,,,,,\n", good);
    FAILS(mg_scores_parse(&s, bad, "x.csv"), MG_ERR_FORMAT, "line 3 has a cell");
    snprintf(bad, sizeof bad, "%sa,b,c,1,d,0.5,,,,,,7,0,,,,,,,,,,\n", good);
    FAILS(mg_scores_parse(&s, bad, "x.csv"), MG_ERR_FORMAT, "line 3 has a cell");
    snprintf(bad, sizeof bad, "%sa,b,c,1,d,0.5,,,,,,0,0,,,,,,,0.1;0.2,0.1,,\n", good);
    FAILS(mg_scores_parse(&s, bad, "x.csv"), MG_ERR_FORMAT, "line 3 has a cell");
    snprintf(bad, sizeof bad, "%s\"a,b,c\n", good);
    FAILS(mg_scores_parse(&s, bad, "x.csv"), MG_ERR_FORMAT, "line 3 is no row");
    mg_free(good);
    mg_scores_free(&s);
    FAILS(mg_scores_read("/nonexistent", &s), MG_ERR_IO, "summary.json");
}

static void cells(void **state)
{
    (void)state;
    char line[] = "a,\"b, \"\"c\"\"\",,\"\",1e-3", *cell[8], text[] = "x\r\n\ny", *at = text;
    bool ok = true;

    CHECK(mg_cells_split(line, cell, 8) == 5);
    CHECK(!strcmp(cell[1], "b, \"c\"") && !*cell[2] && !*cell[3]);
    CHECK(mg_cell_number(cell[4], &ok) == 0.001 && isnan(mg_cell_number("", &ok)) && ok);
    mg_cell_number("1x", &ok);
    CHECK(!ok);
    char many[] = "1,2,3";
    CHECK(mg_cells_split(many, cell, 2) == -1);
    CHECK(!strcmp(mg_next_line(&at), "x") && !*mg_next_line(&at) &&
          !strcmp(mg_next_line(&at), "y"));
    CHECK(!mg_next_line(&at));
    CHECK(mg_mem_live() == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(same_files_from_any_order),
        cmocka_unit_test(tables),
        cmocka_unit_test(clicks),
        cmocka_unit_test(missing_masks_stay_finite),
        cmocka_unit_test(older_tables),
        cmocka_unit_test(bad_text),
        cmocka_unit_test(cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
