// RUN: np=1
// Label maps of cases: who gets a cell, which slice is shown and how it is turned, the files, the outlines
// and the part of the report page that is made of them.
#include "tests/check.h"

#include "datasets/decode.h"
#include "finetune/case_maps.h"
#include "finetune/label_map.h"
#include "finetune/report.h"
#include "finetune/seg_eval.h"
#include "runtime/comm.h"
#include "runtime/fsys.h"
#include "tests/stack_data.h"

static mg_comm *alone;
static char folder[64];

static char *in_folder(const char *name)
{
    static char path[4][128];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[0], "%s/%s", folder, name);
    return path[turn];
}

// --- maps -------------------------------------------------------------------------------------------

static void largest_logit_wins(void **state)
{
    static const float first[4] = {2, 1, -1, NAN}, second[4] = {1, 1, 0, -1};
    float best[4] = {0};
    uint8_t map[4] = {0};

    (void)state;
    mg_label_merge(best, map, first, 3, 3);
    mg_label_merge(best, map, second, 4, 7);
    CHECK(map[0] == 3 && map[1] == 3); // larger, and a tie
    CHECK(map[2] == 0 && map[3] == 0); // 0 is not above 0
    mg_label_merge(best, map, first + 1, 1, 9);
    CHECK(map[0] == 3);
}

// Targets side by side keep to the largest logit; of nested ones the later lies on top.
static void nested_targets_lie_on_top(void **state)
{
    static const uint8_t left[4] = {1, 1, 0, 0}, right[4] = {0, 0, 1, 1}, inner[4] = {0, 1, 0, 0};
    static const float strong[4] = {3, 3, -1, -1}, weak[4] = {-1, 1, 1, -1};
    const uint8_t *second[2] = {right, inner};
    mg_case_maps m = {0};

    (void)state;
    for (int nested = 0; nested < 2; nested++) {
        OK(mg_case_maps_begin(&m, -1, 1, 4));
        mg_case_maps_target(&m, 1, "whole", left);
        mg_case_maps_target(&m, 2, "part", second[nested]);
        OK(mg_case_maps_add(&m, "1 click", 1, 0.9, strong));
        OK(mg_case_maps_add(&m, "1 click", 2, 0.05, weak));
        OK(mg_case_maps_add(&m, "3 clicks", 2, 0.5, strong));
        CHECK(m.nested == nested && m.maps == 2 && m.map[0].dice[1] == 0.05);
        CHECK(isnan(m.map[1].dice[0]));
        CHECK(m.map[0].label[0] == 1 && m.map[0].label[1] == (nested ? 2 : 1));
        CHECK(m.map[0].label[2] == 2 && m.map[0].label[3] == 0 && m.map[1].label[0] == 2);
        CHECK(m.reference[1] == (nested ? 2 : 1));
    }
    mg_case_maps_free(&m);
}

// Large pictures are sampled; a slice is turned by half a turn.
static void maps_are_small_and_upright(void **state)
{
    enum { HEIGHT = 500, WIDTH = 1000 };
    uint8_t *mask = mg_calloc(HEIGHT * WIDTH, 1);
    mg_case_maps m = {0};

    (void)state;
    for (int y = 0; y < 100; y++) memset(mask + y * WIDTH, 1, 300);
    for (int slice = -1; slice < 2; slice += 2) {
        OK(mg_case_maps_begin(&m, slice, HEIGHT, WIDTH));
        CHECK(m.width == 384 && m.height == 192);
        mg_case_maps_target(&m, 4, "corner", mask);
        size_t area = 0, last = (size_t)m.height * (size_t)m.width - 1;
        for (size_t i = 0; i <= last; i++) area += m.reference[i] == 4;
        CHECK(m.reference[slice < 0 ? 0 : last] == 4 && m.reference[slice < 0 ? last : 0] == 0);
        CHECK(fabs((double)area / (double)(last + 1) - 0.06) < 0.002);
    }
    mg_free(mask);
    mg_case_maps_free(&m);
}

// --- of a shard set ---------------------------------------------------------------------------------

// The slice with the most targets, then the most cells: found here by hand from the drawing.
static void the_reference_chooses_the_slice(void **state)
{
    const char *set = in_folder("set");
    mg_reader *reader = NULL;
    mg_case_maps m = {0};
    mg_eval_plan plan = {.threads = 1};

    (void)state;
    OK(balls_pack(alone, set));
    OK(mg_reader_open(&set, 1, "all", &reader));
    for (int64_t i = 0; i < mg_reader_count(reader); i++) {
        const mg_shard_item *item = mg_reader_item(reader, i);
        int number = atoi(item->name), best = 0, most = -1;
        for (int z = 0; z < item->depth; z++) {
            int area[3] = {0};
            for (int y = 0; y < BALLS_HEIGHT; y++)
                for (int x = 0; x < BALLS_WIDTH; x++) area[balls_class(number, z, y, x)]++;
            if (number == BALLS_PARTIAL) area[2] = 0;
            int score = 10000 * ((area[1] > 0) + (area[2] > 0)) + area[1] + area[2];
            if (score > most) best = z;
            if (score > most) most = score;
        }
        OK(mg_eval_begin_maps(&plan, reader, i, &m));
        CHECK(m.slice == best && m.height == BALLS_HEIGHT && m.width == BALLS_WIDTH);
        for (int y = 0; y < BALLS_HEIGHT; y++)
            for (int x = 0; x < BALLS_WIDTH; x++) {
                int from = balls_class(number, best, BALLS_HEIGHT - 1 - y, BALLS_WIDTH - 1 - x);
                if (number == BALLS_PARTIAL && from == 2) from = 0;
                CHECK(m.reference[y * BALLS_WIDTH + x] == from);
            }
    }
    mg_case_maps_free(&m);
    mg_reader_close(&reader);
}

// --- outlines ---------------------------------------------------------------------------------------

static void outlines_are_closed_loops(void **state)
{
    // A ring, a cell that touches it at a corner, and a part of another target.
    static const uint8_t map[5 * 6] = {1, 1, 1, 0, 0, 0, 1, 0, 1, 0, 2, 2, 1, 1, 1,
                                       0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
    uint8_t room[6 * 7];
    char *text = NULL;
    size_t bytes;

    (void)state;
    FILE *out = open_memstream(&text, &bytes);
    for (int number = 1; number <= 3; number++) {
        mg_svg_outline(out, map, 5, 6, number, room);
        fputc(number == 3 ? '.' : '|', out);
    }
    fclose(out);
    // Outside clockwise, the hole counter-clockwise, the corner apart; 2; nothing.
    assert_string_equal(text, "M0 0h3v3h-3zM1 2h1v-1h-1zM3 3h1v1h-1z|M4 1h2v1h-2z|.");
    free(text);
}

// --- report -----------------------------------------------------------------------------------------

// Cases of two targets, 0 and 1, of which the second is lost in case 1 by `bad`.
static void make_run(const char *name, bool bad, int size)
{
    char *path = mg_strdup(in_folder(name)), *maps = mg_path_join(path, "maps");
    mg_scores s = {.method = mg_strdup(name), .trained_share = NAN, .nsd_tolerance = 2};
    static const char *const target[2] = {"disc", "cup <1>"};
    uint8_t mask[64 * 64], pixels[64 * 64];
    float logits[64 * 64];
    mg_case_maps m = {0};

    memset(pixels, 90, sizeof pixels);
    for (int i = 0; i < 2; i++) {
        char id[16], stem[32];
        snprintf(id, sizeof id, "c%d", i);
        snprintf(stem, sizeof stem, "case-%06d", i);
        OK(mg_case_maps_begin(&m, -1, size, size));
        mg_case_maps_picture(&m, pixels, size, size, 1);
        for (int t = 0; t < 2; t++) {
            memset(mask, 0, sizeof mask);
            memset(mask + t * size, 1, 5);
            mg_case_maps_target(&m, t + 1, target[t], mask);
        }
        for (int t = 0; t < 2; t++) {
            double dice = bad && i == 1 && t == 1 ? 0.02 : 0.8;
            for (int k = 0; k < size * size; k++)
                logits[k] = k / size == t && k % size < 5 ? 1 : -1;
            OK(mg_case_maps_add(&m, "1 click", t + 1, dice, logits));
            mg_score r = {.set = "eyes", .protocol = "1 click", .id = id, .clicks = 1};
            r.class_number = t + 1;
            r.class_name = target[t];
            r.value[MG_SCORE_DICE] = dice;
            OK(mg_scores_add(&s, &r));
        }
        OK(mg_case_maps_write(&m, maps, stem, "eyes", id));
    }
    OK(mg_scores_describe(&s, "eyes", "px", true));
    OK(mg_scores_write(&s, path, 0, 20));
    mg_case_maps_free(&m);
    mg_scores_free(&s);
    mg_free(path), mg_free(maps);
}

static mg_status make_page(const char *const *runs, int count, char **page)
{
    mg_report r = {.title = "t", .replicates = 20, .pictures = 8, .fail_dice = 0.1};
    const char *path = in_folder("page.html");

    *page = NULL;
    r.run = mg_calloc((size_t)count, sizeof *r.run);
    for (int i = 0; i < count; i++) OK(mg_report_run_read(in_folder(runs[i]), &r.run[r.runs++]));
    OK(mg_report_collect(&r));
    mg_status st = mg_report_page(&r, path);
    if (!st) OK(mg_read_file(path, 1 << 22, page, NULL));
    mg_report_free(&r);
    return st;
}

static int count_of(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) n++;
    return n;
}

static void the_page_shows_methods_side_by_side(void **state)
{
    static const char *const runs[] = {"good", "bad", "other"};
    char *page;

    (void)state;
    make_run("good", false, 64);
    make_run("bad", true, 64);
    make_run("other", false, 48); // the same names, but other data
    OK(make_page(runs, 2, &page));
    CHECK(strstr(page, "<td>4</td><td>0</td><td>100 %</td>"));
    CHECK(strstr(page, "<td>3</td><td>1</td><td>75 %</td>") && strstr(page, ">1/2</td>"));
    CHECK(count_of(page, "<svg class=\"panel\"") == 6 && count_of(page, "<image id=") == 2);
    CHECK(count_of(page, " lost\" title=\"cup &lt;1&gt;: lost, Dice 0.02\">2<") == 1);
    CHECK(count_of(page, "<b>1</b> of 2 found") == 1 && count_of(page, "<b>2</b> of 2") == 3);
    CHECK(count_of(page, "d=\"M0 1h5v1h-5z\"") == 6); // reference and methods, both cases
    CHECK(!strstr(page, "http://") && !strstr(page, "not kept"));
    mg_free(page);
    OK(make_page(runs, 3, &page));
    CHECK(count_of(page, "<image id=") == 4 && count_of(page, "not kept") == 6);
    mg_free(page);
}

static void damaged_maps_are_refused(void **state)
{
    static const char *const runs[] = {"good"};
    static const uint8_t small[4] = {0};
    const char *map = in_folder("good/maps/case-000001-1.png");
    char *page;

    (void)state;
    OK(mg_write_png(map, small, 2, 2, 1));
    FAILS(make_page(runs, 1, &page), MG_ERR_FORMAT, "is 2 x 2, expected 64 x 64");
    OK(mg_write_file(map, "none", 4));
    FAILS(make_page(runs, 1, &page), MG_ERR_FORMAT, "case-000001-1.png");
    const char *note = "{\"set\": \"eyes\", \"case\": \"c1\", \"reference\": \"../../secret.png\"}";
    OK(mg_write_file(in_folder("good/maps/case-000001.json"), note, strlen(note)));
    FAILS(make_page(runs, 1, &page), MG_ERR_FORMAT, "is no name of a map");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(largest_logit_wins),
                                       cmocka_unit_test(nested_targets_lie_on_top),
                                       cmocka_unit_test(maps_are_small_and_upright),
                                       cmocka_unit_test(the_reference_chooses_the_slice),
                                       cmocka_unit_test(outlines_are_closed_loops),
                                       cmocka_unit_test(the_page_shows_methods_side_by_side),
                                       cmocka_unit_test(damaged_maps_are_refused)};

    (void)argc, (void)argv;
    if (mg_comm_alone(&alone) || !check_folder(folder, "case-maps")) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mg_remove_tree(folder);
    mg_comm_end(&alone);
    return failed;
}
