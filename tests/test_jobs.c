// Every YAML file below jobs/ holds settings that its command knows and takes: what fails is the data that is
// not there. (Run from the top of the source tree.)
#include "tests/check.h"

#include "finetune/cmd.h"
#include "pretrain/cmd.h"
#include "runtime/comm.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"

static mg_comm *alone;

// The command is told from the name of the file.
static mg_status start(const char *path)
{
    const char *name = mg_path_base(path);
    const char *evaluate[] = {"data.sets=no/set", "evaluate.out=/dev/null/x",
                              "evaluate.masks=no/masks", "evaluate.method=x", NULL};
    const char *train[] = {"data.sets=no/set", "train.out=/dev/null/x", "model.init=no/weights",
                           NULL};
    mg_args args = {.world = alone, .config_path = path, .sets = {3, (char **)train}};

    if (strstr(name, "evaluate")) {
        args.sets = (mg_list){4, (char **)evaluate};
        args.command = "evaluate";
        return mg_cmd_evaluate(&args);
    }
    args.command = strstr(name, "pretrain") ? "pretrain" : "finetune";
    return strstr(name, "pretrain") ? mg_cmd_pretrain(&args) : mg_cmd_finetune(&args);
}

static void files_of_settings_are_taken(void **state)
{
    mg_texts files = {0};
    int found = 0;

    (void)state;
    OK(mg_list_tree("jobs", &files));
    for (size_t i = 0; i < files.count; i++) {
        if (!mg_path_has_ext(files.item[i], ".yaml")) continue;
        char *path = mg_path_join("jobs", files.item[i]);
        mg_status st = start(path);
        if (st != MG_ERR_IO || !strstr(mg_err_message(), "'no/"))
            fail_msg("%s gave %d '%s'", path, (int)st, mg_err_message());
        mg_err_clear();
        mg_free(path);
        found++;
    }
    CHECK(found >= 20);
    mg_texts_free(&files);
}

// A file that is not in order is told apart from data that are not there.
static void a_wrong_file_is_found(void **state)
{
    char folder[64];

    (void)state;
    CHECK(check_folder(folder, "jobs"));
    char *path = mg_path_join(folder, "msa.yaml");
    OK(mg_write_file(path, "train: {mood: msa}\n", 19));
    FAILS(start(path), MG_ERR_CONFIG, "mood");
    mg_free(path);
    path = mg_path_join(folder, "evaluate.yaml");
    OK(mg_write_file(path, "evaluate: {volume: [cube]}\n", 27));
    FAILS(start(path), MG_ERR_CONFIG, "cube");
    mg_free(path);
    mg_remove_tree(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(files_of_settings_are_taken),
                                       cmocka_unit_test(a_wrong_file_is_found)};

    if (mg_comm_alone(&alone)) return 1;
    mg_log_init(0, 1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mg_comm_end(&alone);
    return failed;
}
