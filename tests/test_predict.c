// Prompts of people: command-line texts and JSON files, and what is wrong with them.
#include "tests/check.h"

#include "finetune/predict_text.h"
#include "finetune/text_encoder.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

static void clicks_and_a_box(void **state)
{
    mg_predict_prompts p;
    (void)state;
    OK(mg_predict_parse("10,20 30,40,0;5,6,1", "1,2,3.5,4", "", &p));
    CHECK(p.count == 1 && p.target[0].clicks == 3 && p.target[0].has_box);
    CHECK(p.target[0].click[0].x == 10 && p.target[0].click[0].y == 20);
    CHECK(p.target[0].click[0].label == 1 && p.target[0].click[1].label == 0);
    CHECK(p.target[0].click[2].x == 5 && p.target[0].box[2] == 3.5);
    OK(mg_predict_check(&p, 50, 40));
    FAILS(mg_predict_check(&p, 40, 40), MG_ERR_CONFIG, "outside the picture");
    mg_predict_free(&p);
    FAILS(mg_predict_parse("10;20", "", "", &p), MG_ERR_CONFIG, "expected 'x,y'");
    FAILS(mg_predict_parse("1,2,3", "", "", &p), MG_ERR_CONFIG, "label 3");
    FAILS(mg_predict_parse("", "1,2,3", "", &p), MG_ERR_CONFIG, "x0,y0,x1,y1");
    OK(mg_predict_parse("", "", "", &p));
    FAILS(mg_predict_check(&p, 40, 40), MG_ERR_CONFIG, "neither a click nor a box");
    mg_predict_free(&p);
}

static void targets_from_a_file(void **state)
{
    char folder[64], *path;
    mg_predict_prompts p;
    (void)state;
    check_folder(folder, "predict");
    path = mg_path_join(folder, "p.json");
    const char *good = "{\"targets\": [{\"name\": \"liver\", \"clicks\": [[1, 2], [3, 4, 0]]},"
                       "{\"box\": [0, 0, 5, 6], \"text\": \"the cup\"}]}";
    OK(mg_write_file(path, good, strlen(good)));
    OK(mg_predict_read(path, &p));
    CHECK(p.count == 2 && strcmp(p.target[0].name, "liver") == 0 && p.target[0].clicks == 2);
    CHECK(p.target[0].click[1].label == 0 && p.target[1].has_box && p.target[1].clicks == 0);
    CHECK(strcmp(p.target[1].name, "target 2") == 0);
    CHECK(!p.target[0].text && strcmp(p.target[1].text, "the cup") == 0);
    mg_predict_free(&p);
    const char *bad = "{\"targets\": [{\"clicks\": [[1]]}]}";
    OK(mg_write_file(path, bad, strlen(bad)));
    FAILS(mg_predict_read(path, &p), MG_ERR_FORMAT, "click 1 of 'target 1'");
    const char *none = "{\"targets\": []}";
    OK(mg_write_file(path, none, strlen(none)));
    FAILS(mg_predict_read(path, &p), MG_ERR_FORMAT, "expected 1 to 255");
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
    OK(mg_predict_parse("", "", "segment the OPTIC cup.", &p));
    OK(mg_predict_check(&p, 10, 10));
    OK(mg_predict_embed(&p, &files, &trained));
    int i = 0;
    while (strcmp(set.corpus.text[i].text, "Segment the optic cup.")) i++;
    assert_memory_equal(p.target[0].unit, set.unit + (size_t)i * set.width,
                        (size_t)set.width * sizeof(float));
    mg_predict_free(&p);

    OK(mg_predict_parse("", "", "Segment the optic cap.", &p));
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
                                       cmocka_unit_test(targets_from_a_file),
                                       cmocka_unit_test(texts_from_a_set)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
