// Prompts of people: command-line texts and JSON files, and what is wrong with them.
#include "tests/check.h"

#include "finetune/overlay.h"
#include "finetune/predict_space.h"
#include "finetune/predict_text.h"
#include "finetune/text_encoder.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

static void clicks_and_a_box(void **state)
{
    mg_predict_prompts p;
    mg_predict_space space = mg_predict_picture_space(50, 40);
    (void)state;
    OK(mg_predict_parse("10,20 30,40,0;5,6,1", "1,2,3.5,4", "", 2, &p));
    CHECK(p.count == 1 && p.target[0].clicks == 3 && p.target[0].boxes == 1);
    OK(mg_predict_place(&p, &space));
    CHECK(p.target[0].click[0].x == 10 && p.target[0].click[0].y == 20);
    CHECK(p.target[0].click[0].label == 1 && p.target[0].click[1].label == 0);
    CHECK(p.target[0].click[2].x == 5 && p.target[0].click[2].z == 0);
    CHECK(p.target[0].box[0].box[0] == 1 && p.target[0].box[0].box[2] == 3.5);
    space = mg_predict_picture_space(40, 40);
    FAILS(mg_predict_place(&p, &space), MG_ERR_CONFIG,
          "(30, 40) of target 'target' lies outside the "
          "picture, which is 40 wide and 40 high");
    mg_predict_free(&p);
    FAILS(mg_predict_parse("10;20", "", "", 2, &p), MG_ERR_CONFIG, "expected x,y");
    FAILS(mg_predict_parse("10,20x", "", "", 2, &p), MG_ERR_CONFIG, "expected x,y");
    FAILS(mg_predict_parse("1,2,3", "", "", 2, &p), MG_ERR_CONFIG, "label 3");
    FAILS(mg_predict_parse("", "1,2,3", "", 2, &p), MG_ERR_CONFIG, "x0,y0,x1,y1");
    FAILS(mg_predict_parse("", "10,2,3,9", "", 2, &p), MG_ERR_CONFIG, "x runs from 10 to 3");
    OK(mg_predict_parse("", "", "", 2, &p));
    FAILS(mg_predict_place(&p, &space), MG_ERR_CONFIG, "neither a click nor a box");
    mg_predict_free(&p);
    OK(mg_predict_parse("1,2,0", "", "", 2, &p));
    FAILS(mg_predict_place(&p, &space), MG_ERR_CONFIG, "only clicks with label 0");
    mg_predict_free(&p);
}

// Coordinates of a volume whose axes point left, front and down, cut and resampled on z.
static void places_in_a_volume(void **state)
{
    const int size[3] = {10, 20, 30};
    const double affine[12] = {-2, 0, 0, 5, 0, 3, 0, -7, 0, 0, -4, 90};
    mg_volume_file v = {.depth = 10, .height = 18, .width = 10, .grid = {{6, 2}, {1, 1}, {0, 1}}};
    mg_predict_space space;
    mg_predict_prompts p;
    (void)state;
    mg_nifti_make_head(size, affine, &v.head);
    OK(mg_predict_volume_space(&v, false, &space));
    OK(mg_predict_parse("0,1,21 9,19,0", "1,2,5,3,4,9", "", 3, &p));
    OK(mg_predict_place(&p, &space));
    // x 0 is our 9; y 1 is row 0 behind the cut; z 21 is our 8, slice (8 - 6) / 2.
    const mg_predict_target *t = &p.target[0];
    CHECK(t->click[0].x == 9 && t->click[0].y == 0 && t->click[0].z == 1);
    // y 19 was cut off: row 17; z 0 is our 29, beyond the last slice.
    CHECK(t->click[1].x == 0 && t->click[1].y == 17 && t->click[1].z == 9);
    // x 1 to 3 is our 8 to 6, z 5 to 9 our 24 to 20: slices 7 to 9.
    CHECK(t->box[0].box[0] == 6 && t->box[0].box[2] == 8 && t->box[0].box[1] == 1);
    CHECK(t->box[0].first == 7 && t->box[0].last == 9);
    mg_predict_free(&p);
    OK(mg_predict_volume_space(&v, true, &space));
    OK(mg_predict_parse("5,-4,6 -12.9,-4,6", "", "", 3, &p));
    OK(mg_predict_place(&p, &space));
    CHECK(p.target[0].click[0].x == 9 && p.target[0].click[0].y == 0 &&
          p.target[0].click[0].z == 1);
    CHECK(p.target[0].click[1].x == 0);
    mg_predict_free(&p);
    OK(mg_predict_parse("6.1,-4,6", "", "", 3, &p));
    FAILS(mg_predict_place(&p, &space), MG_ERR_CONFIG, "mm (RAS)");
    mg_predict_free(&p);
}

// An oblique scan: mm of a cell lead back to that cell.
static void places_in_an_oblique_volume(void **state)
{
    const int size[3] = {10, 20, 30};
    const double c = cos(0.3), s = sin(0.3);
    const double affine[12] = {-2, 0, 0, 5, 0, 3 * c, -4 * s, -7, 0, 3 * s, 4 * c, 90};
    mg_volume_file v = {.depth = 30, .height = 20, .width = 10, .grid = {{0, 1}, {0, 1}, {0, 1}}};
    mg_predict_space space;
    mg_predict_prompts p;
    char text[100];
    (void)state;
    mg_nifti_make_head(size, affine, &v.head);
    OK(mg_predict_volume_space(&v, true, &space));
    for (int k = 0; k < 8; k++) {
        const double at[3] = {k & 1 ? 9 : 2, k & 2 ? 19 : 3,
                              k & 4 ? 29 : 4}; // along the file's axes
        double mm[3];
        for (int r = 0; r < 3; r++) {
            const double *m = affine + 4 * r;
            mm[r] = m[0] * at[0] + m[1] * at[1] + m[2] * at[2] + m[3];
        }
        snprintf(text, sizeof text, "%.6f,%.6f,%.6f", mm[0], mm[1], mm[2]);
        OK(mg_predict_parse(text, "", "", 3, &p));
        OK(mg_predict_place(&p, &space));
        const mg_click *click = &p.target[0].click[0];
        CHECK(click->x == 9 - at[0] && click->y == at[1] && click->z == at[2]);
        mg_predict_free(&p);
    }
}

// Two targets of a 4 x 2 picture, twice: as it is, and turned by half with pixels twice as tall as wide.
static void overlays(void **state)
{
    const uint8_t grey[8] = {100, 100, 100, 100, 100, 100, 100, 100};
    const uint8_t map[8] = {1, 0, 0, 0, 0, 0, 0, 2};
    const double box[1][4] = {{2, 0, 3, 0}};
    const uint8_t box_of[1] = {2};
    mg_overlay o[2] = {{.pixels = grey,
                        .height = 2,
                        .width = 4,
                        .channels = 1,
                        .pred = map,
                        .grid_height = 2,
                        .grid_width = 4}};
    char folder[64], *path;
    mg_picture p;

    (void)state;
    check_folder(folder, "overlay");
    path = mg_path_join(folder, "o.png");
    o[0].box = box, o[0].boxes = 1, o[0].box_of = box_of;
    OK(mg_overlay_write(path, o, 80));
    OK(mg_decode_file(path, 0, &p));
    CHECK(p.width == 80 && p.height == 40 && p.channels == 3);
    const uint8_t(*rgb)[3] = p.pixels;
    CHECK(rgb[10 * 80 + 10][0] > 130 && rgb[10 * 80 + 10][2] < 90); // inside of target 1: orange
    CHECK(rgb[10 * 80 + 30][0] == 100 && rgb[10 * 80 + 30][2] == 100);
    CHECK(rgb[30 * 80 + 70][2] > 130 && rgb[30 * 80 + 70][0] < 110); // target 2: blue
    CHECK(rgb[0 * 80 + 50][2] > 200);                                // frame of its box
    mg_picture_free(&p);
    o[0].boxes = 0;
    o[0].tall = 2;
    o[1] = o[0];
    o[1].turned = true;
    OK(mg_overlay_sheet(path, o, 2, 2, 80));
    OK(mg_decode_file(path, 0, &p));
    CHECK(p.height == 80 && p.width == 166); // two of 80 and a gap of 6
    rgb = p.pixels;
    CHECK(rgb[20 * 166 + 10][0] > 130 && rgb[60 * 166 + 70][2] > 130);
    CHECK(rgb[60 * 166 + 86 + 70][0] > 130 && rgb[20 * 166 + 86 + 10][2] > 130); // turned
    mg_picture_free(&p);
    mg_free(path);
    OK(mg_remove_tree(folder));
}

static void targets_from_a_file(void **state)
{
    static const struct {
        const char *text, *message;
    } bad[] = {{"{\"targets\": [{\"clicks\": [[1]]}]}", "p.json': click 1 of 'target 1'"},
               {"{\"targets\": [{\"name\": \"cup\", \"clicks\": [[1, \"a\"]]}]}", "of 'cup'"},
               {"{\"targets\": [{\"name\": \"cup\", \"box\": [1, 2, 3]}]}", "the box of 'cup'"},
               {"{\"targets\": [{\"click\": [[1, 2]]}]}", "target 1 has an unknown key \"click\""},
               {"{\"target\": [{}]}", "the nearest is \"targets\""},
               {"{\"targets\": [3]}", "target 1 is not an object"},
               {"{\"targets\": []}", "expected 1 to 255"},
               {"{\"targets\": [{}], \"coordinates\": \"cm\"}", "expected \"voxel\" or \"mm\""},
               {"[[1, 2]]", "is not an object"}};
    char folder[64], *path;
    mg_predict_prompts p;
    (void)state;
    check_folder(folder, "predict");
    path = mg_path_join(folder, "p.json");
    const char *good = "{\"targets\": [{\"name\": \"liver\", \"clicks\": [[1, 2], [3, 4, 0]]},"
                       "{\"box\": [0, 0, 5, 6], \"text\": \"the cup\"}]}";
    OK(mg_write_file(path, good, strlen(good)));
    OK(mg_predict_read(path, 2, &p));
    CHECK(p.count == 2 && strcmp(p.target[0].name, "liver") == 0 && p.target[0].clicks == 2);
    CHECK(p.target[0].given_click[1].label == 0 && p.target[1].boxes && p.target[1].clicks == 0);
    CHECK(strcmp(p.target[1].name, "target 2") == 0 && !p.mm);
    CHECK(!p.target[0].text && strcmp(p.target[1].text, "the cup") == 0);
    mg_predict_free(&p);
    FAILS(mg_predict_read(path, 3, &p), MG_ERR_FORMAT, "click 1 of 'liver' is not x,y,z");
    const char *volume = "{\"coordinates\": \"mm\", \"targets\": [{\"clicks\": [[1, 2, 3.5, 0]],"
                         "\"box\": [[0, 0, 1, 5, 6, 1], [1, 1, 2, 5, 6, 4]]}]}";
    OK(mg_write_file(path, volume, strlen(volume)));
    OK(mg_predict_read(path, 3, &p));
    CHECK(p.mm && p.target[0].boxes == 2 && p.target[0].given_click[0].at[2] == 3.5);
    CHECK(p.target[0].given_box[1].corner[1][2] == 4 && p.target[0].given_click[0].label == 0);
    mg_predict_free(&p);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        OK(mg_write_file(path, bad[i].text, strlen(bad[i].text)));
        FAILS(mg_predict_read(path, 2, &p), MG_ERR_FORMAT, bad[i].message);
    }
    mg_free(path);
    OK(mg_remove_tree(folder));
}

// A text is looked up in a file whose maker is that of the model's texts.
static void texts_from_a_set(void **state)
{
    char folder[64], *path;
    mg_predict_prompts p;
    mg_corpus corpus;
    mg_text_encoder encoder;
    mg_text_set set;

    (void)state;
    check_folder(folder, "predict-text");
    path = mg_path_join(folder, "texts.h5");
    OK(mg_corpus_read("finetune/texts/fundus.txt", NULL, &corpus));
    OK(mg_text_encoder_stand_in(&corpus, 0, &encoder));
    OK(mg_text_encoder_run(&encoder, &corpus, true, &set));
    OK(mg_text_set_write(&set, path));
    mg_finetune_config trained = {.text_width = set.width, .text_encoder = set.hash};
    mg_predict_text_files files = {path, "", "", "", "", 0};
    OK(mg_predict_parse("", "", "segment the OPTIC cup.", 2, &p));
    mg_predict_space space = mg_predict_picture_space(10, 10);
    OK(mg_predict_place(&p, &space));
    OK(mg_predict_embed(&p, &files, &trained));
    int i = 0;
    while (strcmp(set.corpus.text[i].text, "Segment the optic cup.")) i++;
    assert_memory_equal(p.target[0].unit, set.unit + (size_t)i * set.width,
                        (size_t)set.width * sizeof(float));
    mg_predict_free(&p);

    OK(mg_predict_parse("", "", "Segment the optic cap.", 2, &p));
    FAILS(mg_predict_embed(&p, &files, &trained), MG_ERR_CONFIG, "'Segment the optic cup.'");
    trained.text_encoder = "0123456789abcdef";
    FAILS(mg_predict_embed(&p, &files, &trained), MG_ERR_CONFIG, "0123456789abcdef");
    files.texts = "";
    FAILS(mg_predict_embed(&p, &files, &trained), MG_ERR_CONFIG, "predict.weights");
    trained.text_width = 0;
    FAILS(mg_predict_embed(&p, &files, &trained), MG_ERR_CONFIG, "not trained with texts");
    mg_predict_free(&p);
    mg_text_set_free(&set);
    mg_corpus_free(&corpus);
    mg_text_encoder_close(&encoder);
    mg_free(path);
    OK(mg_remove_tree(folder));
    CHECK(mg_mem_live() == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(clicks_and_a_box),
                                       cmocka_unit_test(places_in_a_volume),
                                       cmocka_unit_test(places_in_an_oblique_volume),
                                       cmocka_unit_test(overlays),
                                       cmocka_unit_test(targets_from_a_file),
                                       cmocka_unit_test(texts_from_a_set)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
