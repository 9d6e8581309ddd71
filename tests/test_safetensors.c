// safetensors: the golden cases, damaged copies of those that can be read.
#include "tests/check.h"

#include "models/weights.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"
#include "tests/damage.h"
#include "tests/weight_cases.h"

static const char FOLDER[] = "tests/golden/safetensors_cases";
static char work[64];

static int set_up(void **state)
{
    (void)state;
    return check_folder(work, "safetensors") ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return mg_remove_tree(work) ? -1 : 0;
}

static void test_cases(void **state)
{
    weight_cases r;

    (void)state;
    CHECK(weight_cases_run("tests/golden/safetensors_cases/expected.json", &r));
    CHECK(r.failed == 0);
    CHECK(r.read == 15 && r.refused == 44);
}

static void try_it(const char *path)
{
    mg_weights *w;
    size_t live = mg_mem_live();

    mg_status st = mg_weights_open(path, 1 << 24, &w);
    for (int i = 0; !st && i < mg_weights_count(w); i++) {
        float *data = mg_alloc((size_t)mg_weights_at(w, i)->count * sizeof *data + 1);
        CHECK(data);
        st = mg_weights_read_f32(w, &(mg_weights_want){i, data}, 1);
        mg_free(data);
    }
    CHECK(!st || mg_err_message()[0]);
    mg_weights_close(&w);
    mg_err_clear();
    CHECK(mg_mem_live() == live);
}

static void test_damage(void **state)
{
    static const char *const files[] = {"basic.safetensors", "dtypes.safetensors",
                                        "metadata.safetensors", "escaped_names.safetensors"};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = mg_path_join(FOLDER, files[i]);
        damage_each(path, work, "damaged.safetensors", 500, try_it);
        mg_free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_damage)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
