// Prompts of people: command-line texts and JSON files, and what is wrong with them.
#include "tests/check.h"

#include "finetune/predict_prompts.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

static void clicks_and_a_box(void **state)
{
    mg_predict_prompts p;
    (void)state;
    OK(mg_predict_parse("10,20 30,40,0;5,6,1", "1,2,3.5,4", &p));
    CHECK(p.count == 1 && p.target[0].clicks == 3 && p.target[0].has_box);
    CHECK(p.target[0].click[0].x == 10 && p.target[0].click[0].y == 20);
    CHECK(p.target[0].click[0].label == 1 && p.target[0].click[1].label == 0);
    CHECK(p.target[0].click[2].x == 5 && p.target[0].box[2] == 3.5);
    OK(mg_predict_check(&p, 50, 40));
    FAILS(mg_predict_check(&p, 40, 40), MG_ERR_CONFIG, "outside the picture");
    mg_predict_free(&p);
    FAILS(mg_predict_parse("10;20", "", &p), MG_ERR_CONFIG, "expected 'x,y'");
    FAILS(mg_predict_parse("1,2,3", "", &p), MG_ERR_CONFIG, "label 3");
    FAILS(mg_predict_parse("", "1,2,3", &p), MG_ERR_CONFIG, "x0,y0,x1,y1");
    OK(mg_predict_parse("", "", &p));
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
                       "{\"box\": [0, 0, 5, 6]}]}";
    OK(mg_write_file(path, good, strlen(good)));
    OK(mg_predict_read(path, &p));
    CHECK(p.count == 2 && strcmp(p.target[0].name, "liver") == 0 && p.target[0].clicks == 2);
    CHECK(p.target[0].click[1].label == 0 && p.target[1].has_box && p.target[1].clicks == 0);
    CHECK(strcmp(p.target[1].name, "target 2") == 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(clicks_and_a_box),
                                       cmocka_unit_test(targets_from_a_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
