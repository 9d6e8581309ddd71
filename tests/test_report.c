// The report on made-up run folders: the text, the page (self-contained, escaped, the word phantom
// in every row of phantom scores), published values, comparisons, broken and missing files.
#include "tests/check.h"

#include <unistd.h>

#include "datasets/decode.h"
#include "finetune/report_paper.h"
#include "runtime/mem.h"

static char root[64];

static char *run_path(const char *name)
{
    char *path = mg_sprintf("%s/%s", root, name);
    OK(mg_make_dirs(path));
    return path;
}

static void write_text(const char *dir, const char *name, const char *text)
{
    char *path = mg_path_join(dir, name);
    OK(mg_write_file(path, text, strlen(text)));
    mg_free(path);
}

// A training run: 200 steps of metrics, the last line cut short, two pictures.
static void make_training(const char *name)
{
    char *dir = run_path(name), *pictures = mg_path_join(dir, "pictures"), *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    uint8_t pixels[32 * 48 * 3];

    write_text(dir, "provenance.json",
               "{\"command\": \"pretrain\", \"version\": \"0.1.0\", \"command_line\": \"medgraft "
               "pretrain --data a<b> & c\", \"ranks\": 2, \"inputs\": {\"isic\": \"00ff\"}, "
               "\"restarts\": [{}]}\n");
    for (int i = 1; i <= 200; i++)
        fprintf(out,
                "{\"step\": %d, \"epoch\": 0, \"loss\": %g, \"loss_mae\": %g, \"loss_emix\": %g, "
                "\"lr\": %g, \"emix_accuracy\": %g, \"samples_per_s\": %g, \"step_s\": 0.2}\n",
                i, 1 + exp(-i / 50.0), 0.7 + exp(-i / 30.0), 2 + exp(-i / 70.0),
                1e-3 * (1 + cos(i * 3.14159 / 200)), 0.6 - 0.5 * exp(-i / 60.0), 250 + 20 * sin(i));
    fprintf(out, "{\"step\": 201, \"lo");
    fclose(out);
    write_text(dir, "metrics.jsonl", text);
    free(text);

    OK(mg_make_dirs(pictures));
    for (int k = 0; k < 12; k++) {
        char *path = mg_sprintf("%s/recon-%03d.png", pictures, 50 * k);
        for (int i = 0; i < 32 * 48; i++) {
            pixels[3 * i] = (uint8_t)(5 * (i % 48));
            pixels[3 * i + 1] = (uint8_t)(7 * (i / 48));
            pixels[3 * i + 2] = (uint8_t)(20 * k);
        }
        OK(mg_write_png(path, pixels, 32, 48, 3));
        mg_free(path);
    }
    mg_free(pictures);
    mg_free(dir);
}

typedef struct {
    const char *run, *method, *set;
    bool phantom;
    int protocols[3]; // clicks, 0 ends
    double dice;      // with one click
} evaluation;

static void make_evaluation(const evaluation *e)
{
    char *dir = run_path(e->run), id[32];
    mg_scores s = {.method = mg_strdup(e->method), .trained_share = 0.187, .nsd_tolerance = 2};
    bool msa = !strcmp(e->run, "b-2"); // scored as the released code does, too
    static const char *const classes[] = {"optic disc", "lesion <b>"};

    for (int i = 0; i < 64; i++)
        for (int p = 0; p < 3 && e->protocols[p]; p++)
            for (int c = 1; c <= 2; c++) {
                mg_stream noise = {5, MG_RNG_FREE, (uint32_t)c, (uint32_t)i};
                mg_score r = {.set = e->set, .id = id, .class_number = c};
                char protocol[32];
                int k = e->protocols[p];
                snprintf(id, sizeof id, "case %d", i);
                snprintf(protocol, sizeof protocol, k == 1 ? "%d click" : "%d clicks", k);
                r.protocol = protocol;
                r.class_name = classes[c - 1];
                double base = e->dice + 0.08 * mg_stream_normal(&noise, 0);
                r.clicks = r.curve = k;
                for (int j = 0; j < k; j++) {
                    double d = fmin(0.99, fmax(0.01, base + 0.06 * log(1 + j)));
                    r.dice_after[j] = d;
                    r.iou_after[j] = d / (2 - d);
                }
                double dice = r.dice_after[k - 1];
                r.value[MG_SCORE_DICE] = dice;
                r.value[MG_SCORE_IOU] = dice / (2 - dice);
                r.value[MG_SCORE_HD95] = 30 * (1 - dice);
                r.value[MG_SCORE_HD95_POOLED] = 25 * (1 - dice);
                r.value[MG_SCORE_ASSD] = 9 * (1 - dice);
                r.value[MG_SCORE_NSD] = dice;
                r.value[MG_SCORE_MSA_DICE] = r.value[MG_SCORE_MSA_IOU] = msa ? 0.75 : NAN;
                OK(mg_scores_add(&s, &r));
            }
    OK(mg_scores_describe(&s, e->set, e->phantom ? "px" : "mm", e->phantom));
    OK(mg_scores_write(&s, dir, 0, 50));
    mg_scores_free(&s);
    mg_free(dir);
}

static const evaluation evaluations[] = {
    {"eval-sam", "SAM", "fundus", true, {1, 3, 10}, 0.40},
    {"eval-medsam", "MedSAM", "fundus", true, {1}, 0.72},
    {"eval-msa", "MSA", "fundus", true, {1}, 0.70},
    {"eval-btcv", "MSA", "btcv", false, {1}, 0.88},
};

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/mg_report_%d", (int)getpid());
    make_training("pretrain");
    for (size_t i = 0; i < sizeof evaluations / sizeof *evaluations; i++)
        make_evaluation(&evaluations[i]);
    // Two tables; the last line is of a method that was not measured.
    write_text(
        root, "paper.csv",
        "table,dataset,method,target,metric,value\n7,fundus2020,MSA 1-point,Optic-Disc,Dice,70\n"
        "7,fundus2020,MSA 1-point,Optic-Disc,IoU,-\n7,fundus2020,nnUNet,Optic-Disc,Dice,70.77\n"
        "8,BTCV,MSA 1 point,optic disc,Dice,0.900\n8,BTCV,MSA 1 point,lesion,Dice,0.800\n"
        "8,BTCV,MSA 1 point,Ave,Dice,0.883\n");
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    return mg_remove_tree(root) != MG_OK;
}

static mg_report read_report(const char *const *names, int count)
{
    mg_report r = {.title = "Demo <1>", .replicates = 200, .pictures = 4, .fail_dice = 0.1};
    r.run = mg_calloc((size_t)count, sizeof *r.run);
    for (int i = 0; i < count; i++) {
        char *path = mg_path_join(root, names[i]);
        OK(mg_report_run_read(path, &r.run[i]));
        r.runs++;
        mg_free(path);
    }
    return r;
}

static const char *const all[] = {"pretrain", "eval-sam", "eval-medsam", "eval-msa", "eval-btcv"};

static int count_of(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) n++;
    return n;
}

static void reads_runs(void **state)
{
    (void)state;
    mg_report r = read_report(all, 5);
    const mg_report_run *run = &r.run[0];

    CHECK(run->series_count == 7 && run->broken == 1 && run->pictures.count == 12);
    for (int i = 0; i < run->series_count; i++)
        CHECK(run->series[i].count == 200 && run->series[i].x[199] == 200);
    CHECK(!run->scored && r.run[1].scored && r.run[1].scores.count == 64 * 6);
    mg_report_free(&r);
}

static void brings_results_together(void **state)
{
    (void)state;
    mg_report r = read_report(all, 5);

    OK(mg_report_collect(&r));
    CHECK(r.sets == 2 && r.set[0].entries == 5 && r.set[0].phantom && !r.set[1].phantom);
    CHECK(!strcmp(r.set[0].entry[2].label, "SAM, 10 clicks"));
    CHECK(!strcmp(r.set[0].entry[4].label, "MSA, 1 click"));
    CHECK(r.set[0].pairs == 10 && r.set[1].pairs == 0);
    // Noise is the same in all runs, so every case differs by the same amount.
    const mg_report_pair *p = &r.set[0].pair[r.set[0].pairs - 1];
    CHECK(p->a == 4 && p->b == 3 && p->test.pairs == 64);
    CHECK(fabs(p->difference + 0.02) < 0.003 && p->holm < 1e-6 && p->interval.high < 0);
    mg_report_free(&r);

    r = read_report(all, 5);
    r.baseline = "MedSAM";
    OK(mg_report_collect(&r));
    CHECK(r.set[0].pairs == 4 && r.set[0].pair[3].a == 4 && r.set[0].pair[3].b == 3);
    mg_report_free(&r);
    r = read_report(all, 5);
    r.baseline = "UNet";
    FAILS(mg_report_collect(&r), MG_ERR_CONFIG, "report.baseline 'UNet'");
    mg_report_free(&r);
    // The same run twice: told apart by its name.
    const char *const twice[] = {"eval-msa", "eval-msa"};
    r = read_report(twice, 2);
    OK(mg_report_collect(&r));
    CHECK(!strcmp(r.set[0].entry[1].label, "MSA, 1 click (run 2)"));
    CHECK(r.set[0].rows == 1 && r.set[0].repeated);
    mg_report_free(&r);
}

// Say in a run's record which data it was scored on.
static void note_data(const char *run, const char *hash)
{
    char *dir = run_path(run), *text = mg_sprintf("{\"inputs\": {\"data.sets\": \"%s\"}}\n", hash);
    write_text(dir, "provenance.json", text);
    mg_free(text);
    mg_free(dir);
}

// Runs of one method with other seeds: their spread, and the comparison run by run on the same data, in
// whatever order they are named.
static void joins_repeats(void **state)
{
    static const evaluation more[] = {{"a-1", "A", "fundus", true, {1}, 0.60},
                                      {"a-2", "A", "fundus", true, {1}, 0.64},
                                      {"b-1", "B", "fundus", true, {1}, 0.50},
                                      {"b-2", "B", "fundus", true, {1}, 0.58}};
    const char *const names[] = {"a-1", "a-2", "b-2", "b-1"};
    char *text = NULL;
    size_t bytes;

    (void)state;
    for (int i = 0; i < 4; i++) {
        make_evaluation(&more[i]);
        note_data(more[i].run, i % 2 ? "0002" : "0001");
    }
    mg_report r = read_report(names, 4);
    OK(mg_report_collect(&r));
    CHECK(r.sets == 1 && r.set[0].entries == 4 && r.set[0].rows == 2 && r.set[0].repeated);
    CHECK(!strcmp(r.set[0].row[0].label, "A, 1 click") && r.set[0].row[0].count == 2);
    CHECK(!strcmp(r.set[0].entry[1].label, "A, 1 click (a-2)"));
    const mg_report_set *set = &r.set[0];
    const mg_summary *over = &set->row[1].over[MG_SCORE_DICE];
    double first = set->entry[2].average[MG_SCORE_DICE].mean;
    double last = set->entry[3].average[MG_SCORE_DICE].mean;
    CHECK(over->n == 2 && fabs(over->mean - (first + last) / 2) < 1e-12);
    CHECK(fabs(over->sd - fabs(first - last) / sqrt(2)) < 1e-12);
    // b - a is -0.10 in the one half of the cases and -0.06 in the other: paired by the data.
    CHECK(set->pairs == 1 && set->pair[0].a == 1 && set->pair[0].test.pairs == 128);
    CHECK(fabs(set->pair[0].difference + 0.08) < 0.003);
    CHECK(set->pair[0].interval.high - set->pair[0].interval.low < 0.01);
    FILE *out = open_memstream(&text, &bytes);
    mg_report_print(&r, out);
    fclose(out);
    CHECK(strstr(text, "mean (sd) over runs") && strstr(text, "each run"));
    CHECK(strstr(text, "A, 1 click        phantom      2    0.607 (0.028) "));
    CHECK(strstr(text, "msa_score (phantom)") && strstr(text, "B, 1 click (b-2)  phantom  0.750"));
    free(text);
    mg_report_free(&r);
}

static void meets_names_as_printed(void **state)
{
    (void)state;
    CHECK(mg_paper_is_method("SAM 1 points", "SAM", 1) &&
          !mg_paper_is_method("SAM 1 points", "SAM", 3));
    CHECK(mg_paper_is_method("MSA 1-point", "MSA", 1) && mg_paper_is_method("MSA", "msa", 1));
    CHECK(!mg_paper_is_method("MSA", "MSA", 3) && !mg_paper_is_method("MSA", "MSA", -1));
    CHECK(!mg_paper_is_method("MSA", "MedSAM", 1) && !mg_paper_is_method("MSA", "MSA release", 1));
    CHECK(mg_paper_is_method("nnUNet", "nnU-Net", 0) &&
          mg_paper_is_method("MedSegDiff", "MedsegDiff", 0));
    CHECK(mg_paper_is_method("Swin-UNetr", "Swin UNETR", 0) &&
          mg_paper_is_method("EnsemDiff", "EnsDiff", 0));
    CHECK(mg_paper_is_method("MedSAM 1 point", "MedSAM 1 point", 0)); // masks of another program
    CHECK(mg_paper_is_set("REFUGE+RIGA", "riga-test") && mg_paper_is_set("AMOS2022", "amos"));
    CHECK(mg_paper_is_set("BraTS", "brats (slices)") && !mg_paper_is_set("BTCV", "brats"));
    CHECK(mg_paper_is_class("R.Kid", "right kidney") && !mg_paper_is_class("R.Kid", "left kidney"));
    CHECK(mg_paper_is_class("Optic-Cup", "optic cup") &&
          mg_paper_is_class("Postc.", "prostate/uterus"));
    CHECK(!mg_paper_is_class("Postc.", "inferior vena cava"));
    CHECK(mg_paper_is_average("Ave") && mg_paper_is_average("Avg") &&
          !mg_paper_is_average("Aorta"));
    CHECK(isnan(mg_paper_number("-")) && mg_paper_number("78.44") == 78.44);
}

static const mg_paper_line *line_of(const mg_paper_block *b, const char *label)
{
    for (int k = 0; k < b->lines; k++)
        if (!strcmp(b->line[k].label, label)) return &b->line[k];
    fail_msg("no line '%s'", label);
    return NULL;
}

// Numbers of rows, columns and dashes of the built-in tables; their odd averages.
static void holds_the_papers_values(void **state)
{
    mg_report r = {.replicates = 200};
    static const int lines[3] = {12, 12, 15}, columns[3] = {15, 12, 7};

    (void)state;
    OK(mg_paper_read(NULL, &r.paper));
    CHECK(r.paper.rows == 453);
    int dashes = 0, odd = 0;
    for (int n = 0; n < 3; n++) {
        char name[2] = {(char)('1' + n), 0};
        mg_paper_table t;
        int targets = 0;
        OK(mg_paper_table_make(&r, name, &t));
        CHECK(t.blocks == (n == 2 ? 3 : 1));
        for (int i = 0; i < t.blocks; i++) {
            const mg_paper_block *b = &t.block[i];
            CHECK(b->lines == lines[n] && b->percent == (n == 2));
            for (int c = 0; c < b->columns; c++) targets += b->column[c].kind == MG_COLUMN_TARGET;
            for (int k = 0; k < b->lines; k++) {
                CHECK(b->line[k].kind == MG_PAPER_PRINTED && b->line[k].alone);
                for (int c = 0; c < b->columns; c++)
                    dashes += b->line[k].cell[c] && !strcmp(b->line[k].cell[c], "-");
                odd += n < 2 && fabs(b->line[k].value[b->columns - 1] -
                                     b->line[k].value[b->columns - 2]) > 0.002;
            }
        }
        CHECK(targets == columns[n]);
        if (n == 0) {
            const mg_paper_line *msa = line_of(&t.block[0], "MSA 1-point");
            CHECK(fabs(msa->value[t.block[0].columns - 2] - 0.897) < 0.0005);
            CHECK(msa->value[t.block[0].columns - 1] == 0.893);
        }
        mg_paper_table_free(&t);
    }
    CHECK(dashes == 8 && odd == 5);
    mg_paper_free(&r.paper);
}

// Where the paper prints '-' there is no difference.
static void dashes_have_no_difference(void **state)
{
    static const evaluation thyroid = {"eval-thyroid", "SAM", "tnscui", false, {1}, 0.05};
    const char *const runs[] = {"eval-thyroid"};
    mg_paper_table t;

    (void)state;
    make_evaluation(&thyroid);
    mg_report r = read_report(runs, 1);
    for (int64_t i = 0; i < r.run[0].scores.count; i++)
        r.run[0].scores.row[i].class_name = "nodule";
    OK(mg_report_collect(&r));
    OK(mg_paper_read(NULL, &r.paper));
    OK(mg_paper_table_make(&r, "3", &t));
    const mg_paper_line *line = line_of(&t.block[2], "SAM, 1 click; tnscui");
    CHECK(!strcmp(line[-1].label, "SAM 1 points") && !line[-1].alone && line->failed);
    CHECK(line[1].kind == MG_PAPER_PRINTED && t.block[1].lines == 15);
    mg_paper_table_free(&t);
    mg_report_free(&r);
}

static void puts_results_beside_the_paper(void **state)
{
    mg_report r = read_report(all, 5);
    char *path = mg_path_join(root, "paper.csv"), *text = NULL, *page = NULL;
    size_t bytes;
    mg_paper_table t;

    (void)state;
    OK(mg_report_collect(&r));
    OK(mg_paper_read(path, &r.paper));
    OK(mg_paper_table_make(&r, "7", &t));
    const mg_paper_block *b = &t.block[0];
    CHECK(t.blocks == 1 && b->columns == 2 && b->percent);
    // MSA and its difference, nnUNet, the heading, three of SAM, one of MedSAM.
    CHECK(b->lines == 2 + 2 + 1 + 3 + 1);
    const mg_paper_line *msa = line_of(b, "MSA, 1 click; fundus");
    CHECK(msa->phantom && msa->cases == 64 && fabs(msa->value[0] - 70) < 4);
    CHECK(msa[1].kind == MG_PAPER_DIFFERENCE && msa[1].phantom);
    CHECK(msa[1].value[0] == msa->value[0] - 70 && isnan(msa[1].value[1])); // IoU: "-"
    CHECK(!strcmp(msa[-1].cell[1], "-") && !msa[-1].alone);
    CHECK(line_of(b, "nnUNet")->alone && !strcmp(line_of(b, "nnUNet")->cell[0], "70.77"));
    FILE *out = open_memstream(&text, &bytes);
    mg_paper_print(&t, out);
    fclose(out);
    CHECK(strstr(text, "Table 7 of the paper, fundus2020") && strstr(text, "not in the paper:"));
    CHECK(count_of(text, " phantom ") == 6 && strstr(text, "70.77"));
    out = open_memstream(&page, &bytes);
    mg_paper_html(&t, out);
    fclose(out);
    CHECK(count_of(page, ">phantom</span>") == 6 &&
          count_of(page, "<tr") == count_of(page, "</tr>"));
    free(text), free(page);
    mg_paper_table_free(&t);

    OK(mg_paper_table_make(&r, "8", &t)); // real data: no such word
    b = &t.block[0];
    msa = line_of(b, "MSA, 1 click; btcv");
    CHECK(!msa->phantom && b->columns == 4 && b->column[3].kind == MG_COLUMN_PRINTED);
    CHECK(fabs(b->line[0].value[2] - 0.85) < 1e-12 && b->line[0].value[3] == 0.883);
    CHECK(isnan(msa->value[1]));                                     // "lesion <b>" is not "lesion"
    CHECK(msa->value[2] == msa->value[0] && isnan(msa[1].value[2])); // not of the whole line
    mg_paper_table_free(&t);
    FAILS(mg_paper_table_make(&r, "9", &t), MG_ERR_CONFIG, "no table '9'");
    mg_free(path);
    mg_report_free(&r);
}

// BTCV: the mean of two adrenal glands, and the merged one from the set beside.
static void both_readings_of_a_merged_organ(void **state)
{
    static const char *const sets[3] = {"btcv", "btcv", "btcv (regions)"};
    static const char *const names[3] = {"right adrenal gland", "left adrenal gland",
                                         "adrenal glands"};
    static const double dice[3] = {.5, .7, .9};
    mg_scores s = {.method = mg_strdup("nnU-Net"), .trained_share = NAN, .nsd_tolerance = 2};
    char *dir = run_path("eval-ag");
    const char *const runs[] = {"eval-ag"};
    mg_paper_table t;

    (void)state;
    for (int k = 0; k < 3; k++) {
        mg_score row = {.set = sets[k],
                        .protocol = "masks",
                        .id = "1",
                        .class_name = names[k],
                        .class_number = k + 12};
        row.value[MG_SCORE_DICE] = dice[k];
        OK(mg_scores_add(&s, &row));
    }
    OK(mg_scores_describe(&s, "btcv", "mm", false));
    OK(mg_scores_describe(&s, "btcv (regions)", "mm", false));
    OK(mg_scores_write(&s, dir, 0, 0));
    mg_scores_free(&s);
    mg_report r = read_report(runs, 1);
    OK(mg_report_collect(&r));
    OK(mg_paper_read(NULL, &r.paper));
    OK(mg_paper_table_make(&r, "2", &t));
    const mg_paper_line *line = line_of(&t.block[0], "nnU-Net, masks; btcv");
    CHECK(line[-1].kind == MG_PAPER_PRINTED && !strcmp(line[-1].label, "nnUNet"));
    CHECK(fabs(line->value[11] - .6) < 1e-12 && line->value[12] == .9); // AG, AG merged
    CHECK(fabs(line[1].value[12] - (.9 - .616)) < 1e-12);
    mg_paper_table_free(&t);
    mg_report_free(&r);
    mg_free(dir);
}

static void prints_text(void **state)
{
    (void)state;
    mg_report r = read_report(all, 5);
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    OK(mg_report_collect(&r));
    mg_report_print(&r, out);
    fclose(out);
    CHECK(strstr(text, "fundus (phantom), distances in px"));
    CHECK(strstr(text, "SAM, 10 clicks") && strstr(text, "btcv, distances in mm"));
    // Beside every line: 5 of scores, 5 of classes, 5 of targets found, 10 comparisons.
    CHECK(count_of(text, "  phantom ") == 25);
    free(text);
    mg_report_free(&r);
}

static void writes_the_page(void **state)
{
    (void)state;
    mg_report r = read_report(all, 5);
    char *path = mg_path_join(root, "index.html"), *page, *again;

    OK(mg_report_collect(&r));
    OK(mg_report_page(&r, path));
    OK(mg_read_file(path, 1 << 24, &page, NULL));
    CHECK(!strncmp(page, "<!doctype html>", 15) && strstr(page, "</html>"));
    // Nothing from outside, nothing unescaped, nothing unfinished.
    CHECK(!strstr(page, "http") && !strstr(page, "<script") && !strstr(page, "@import"));
    CHECK(strstr(page, "Demo &lt;1&gt;") && strstr(page, "lesion &lt;b&gt;"));
    CHECK(!strstr(page, "lesion <b>") && strstr(page, "a&lt;b&gt; &amp; c"));
    CHECK(!strstr(page, ">nan<") && !strstr(page, "nan ") && !strstr(page, "inf "));
    CHECK(count_of(page, "<img ") == 4 && count_of(page, "data:image/png;base64,iVBOR") == 4);
    CHECK(strstr(page, "recon 550") && strstr(page, "recon 000")); // first and last
    CHECK(count_of(page, "<section") == 6 &&
          count_of(page, "<section") == count_of(page, "</section>"));
    CHECK(count_of(page, "<svg") == count_of(page, "</svg>"));
    CHECK(count_of(page, "<tr>") == count_of(page, "</tr>"));
    CHECK(count_of(page, "<table>") == count_of(page, "</table>"));
    CHECK(count_of(page, "<div") == count_of(page, "</div>"));
    // 5 lines of scores, 5 of classes, 2 of clicks, 10 comparisons, the headings.
    CHECK(count_of(page, ">phantom</span>") == 5 * 2 + 2 + 10 + 3);
    // The same page again.
    OK(mg_report_page(&r, path));
    OK(mg_read_file(path, 1 << 24, &again, NULL));
    CHECK(!strcmp(page, again));
    mg_free(page);
    mg_free(again);
    mg_free(path);
    mg_report_free(&r);
}

static void bad_folders(void **state)
{
    (void)state;
    mg_report_run run;
    mg_paper paper;
    char *empty = run_path("empty"), *broken = run_path("broken");

    FAILS(mg_report_run_read(empty, &run), MG_ERR_CONFIG, "is no run folder");
    write_text(broken, "cases.csv", "set,protocol\n");
    FAILS(mg_report_run_read(broken, &run), MG_ERR_IO, "summary.json");
    write_text(broken, "summary.json", "{\"kind\": \"scores\"}");
    FAILS(mg_report_run_read(broken, &run), MG_ERR_FORMAT, "cases.csv' does not begin");
    write_text(broken, "summary.json", "{\"kind\": \"other\"}");
    FAILS(mg_report_run_read(broken, &run), MG_ERR_FORMAT, "is no summary of scores");
    char *table = mg_path_join(broken, "cases.csv");
    FAILS(mg_paper_read(table, &paper), MG_ERR_FORMAT, "has no column 'table'");
    mg_free(table);
    mg_free(empty);
    mg_free(broken);
    CHECK(mg_mem_live() == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_runs),
        cmocka_unit_test(brings_results_together),
        cmocka_unit_test(joins_repeats),
        cmocka_unit_test(meets_names_as_printed),
        cmocka_unit_test(holds_the_papers_values),
        cmocka_unit_test(dashes_have_no_difference),
        cmocka_unit_test(puts_results_beside_the_paper),
        cmocka_unit_test(both_readings_of_a_merged_organ),
        cmocka_unit_test(prints_text),
        cmocka_unit_test(writes_the_page),
        cmocka_unit_test(bad_folders),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
