// RUN: np=1,2
// Every data set from end to end on its phantom with all defects: check-data tells of them, packing survives them,
// the shards verify, and the counts in the index are those that the phantom planted.
#include "tests/check.h"

#include "datasets/check.h"
#include "datasets/share.h"
#include "runtime/comm.h"
#include "runtime/fsys.h"
#include "runtime/json.h"
#include "runtime/mem.h"
#include "shard/shard.h"
#include "shard/writer.h"

enum { COUNT = 33 };

static mg_comm *world;
static char *folder; // of this test, the same on all ranks

// A set on its phantom.
typedef struct {
    const mg_dataset *set;
    mg_option_group group;
    char *raw, *out;
    mg_phantom_report report; // rank 0 alone
} phantom;

static void write_phantom(phantom *p, const mg_dataset *set, const char *layout, bool defects)
{
    char name[96];

    *p = (phantom){.set = set};
    snprintf(name, sizeof name, "%s_%s_%d", set->name, layout, defects);
    p->raw = mg_path_join(folder, name);
    p->out = mg_sprintf("%s.shards", p->raw);
    p->group = (mg_option_group){set->options, calloc(1, set->config_bytes + 1)};
    if (set->options) OK(mg_config_load(&p->group, 1, set->name, "", "test.yaml", NULL));
    mg_phantom_order order = {.out = p->raw,
                              .count = COUNT,
                              .seed = 11,
                              .defects = defects,
                              .size = set->long_side ? 64 : 32,
                              .layout = *layout ? layout : NULL,
                              .report = &p->report};
    mg_comm_range(COUNT, mg_comm_rank(world), mg_comm_size(world), &order.lo, &order.hi);
    OK(mg_make_dirs(p->raw));
    OK(set->phantom(&order));
    char *mark = mg_path_join(p->raw, "PHANTOM");
    if (mg_comm_rank(world) == 0) OK(mg_write_file(mark, "", 0));
    mg_free(mark);
    mg_comm_barrier(world);
}

static void free_phantom(phantom *p)
{
    mg_texts_free(&p->report.planted);
    if (p->set->options) mg_config_free(&p->group, 1);
    free(p->group.base);
    mg_free(p->raw);
    mg_free(p->out);
}

static void check_data(const phantom *p, mg_check_outcome *o, FILE *table)
{
    mg_check_order order = {
        .set = p->set, .config = p->group.base, .root = p->raw, .out = table, .threads = 2};
    OK(mg_check_run(world, &order, o));
}

static void check_outcome(const phantom *p, const mg_check_outcome *o)
{
    const mg_phantom_report *r = &p->report;

    if (mg_comm_rank(world) > 0) return;
    assert_int_equal(o->cases, r->items);
    assert_int_equal(o->good + o->odd + o->bad, r->items);
    assert_int_equal(o->duplicates, r->duplicates);
    // A copy on the other side of the split is bad too.
    CHECK(o->bad >= r->unreadable && o->bad <= r->unreadable + r->duplicates);
    CHECK(o->odd >= r->constant);
    assert_int_equal(o->crossing, 0);
}

static int64_t number(const mg_json *index, const char *key)
{
    return mg_json_int(mg_json_get(index, key), -1);
}

static void check_index(const phantom *p, const mg_shard_outcome *o)
{
    const mg_phantom_report *r = &p->report;
    char *path = mg_path_join(p->out, "index.json");
    mg_json *index;
    int64_t verified;

    if (mg_comm_rank(world) == 0) {
        OK(mg_json_read(path, &index));
        assert_int_equal(number(index, "found"), r->items);
        assert_int_equal(number(index, "items"),
                         r->items - r->unreadable - r->constant - r->duplicates);
        assert_int_equal(mg_json_size(mg_json_get(index, "skipped")), r->unreadable + r->constant);
        assert_int_equal(mg_json_size(mg_json_get(index, "duplicates")), r->duplicates);
        assert_int_equal(number(index, "labelled"), p->set->labelled ? o->items : 0);
        OK(mg_shard_verify(p->out, &verified));
        CHECK(verified >= o->items);
        mg_json_free(&index);
    }
    mg_comm_barrier(world);
    mg_free(path);
}

static void pack(const phantom *p, mg_shard_outcome *o)
{
    mg_shard_order order = {.set = p->set,
                            .config = p->group.base,
                            .config_text = "",
                            .root = p->raw,
                            .out = p->out,
                            .long_side = p->set->long_side,
                            .size_mb = 64,
                            .level = 1,
                            .threads = 1,
                            .drop_constant = true};
    OK(mg_shard_write(world, &order, o));
}

static void set_to_end(const mg_dataset *set, const char *layout)
{
    mg_check_outcome seen;
    mg_shard_outcome packed;
    phantom p;
    FILE *table = tmpfile();

    write_phantom(&p, set, layout, true);
    check_data(&p, &seen, table);
    check_outcome(&p, &seen);
    if (mg_comm_rank(world) == 0) CHECK(ftell(table) > 40 * (seen.cases + seen.skipped));
    fclose(table);
    pack(&p, &packed);
    check_index(&p, &packed);
    free_phantom(&p);
}

static void end_to_end(void **state)
{
    int checked = 0;
    char layout[32];
    (void)state;

    for (int i = 0; mg_dataset_at(i); i++) {
        const mg_dataset *set = mg_dataset_at(i);
        if (!set->phantom || !strncmp(set->name, "demo", 4)) continue;
        for (int k = 0; check_word(set->layouts, k, layout); k++) set_to_end(set, layout);
        checked++;
    }
    CHECK(checked >= 11);
}

// Without defects nothing is bad, and no file is left over.
static void in_order(void **state)
{
    (void)state;
    for (int i = 0; mg_dataset_at(i); i++) {
        const mg_dataset *set = mg_dataset_at(i);
        mg_check_outcome seen;
        phantom p;
        if (!set->phantom) continue;
        write_phantom(&p, set, "", false);
        check_data(&p, &seen, stdout);
        if (seen.bad || seen.skipped || seen.odd || seen.good != seen.cases)
            fail_msg("%s: %d odd, %d bad, %d files without a case", set->name, (int)seen.odd,
                     (int)seen.bad, (int)seen.skipped);
        free_phantom(&p);
    }
}

// --- a set made for the sides of a split -------------------------------------------------------------

static mg_status twin_scan(const char *root, const void *config, mg_scan *out)
{
    static const struct {
        const char *name, *patient, *split;
    } row[] = {{"a", "p1", "train"}, {"b", "p1", "test"}, {"c", "p2", "train"},
               {"d", "p3", "train"}, {"e", "p4", "val"},  {"f", "p4", "val"}};
    (void)root, (void)config;

    *out = (mg_scan){.classes = 1, .class_name = {"thing"}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        MG_TRY(mg_scan_add(out, &(mg_item){.name = (char *)row[i].name,
                                           .mask = "m",
                                           .patient = (char *)row[i].patient,
                                           .split = (char *)row[i].split}));
    MG_TRY(mg_texts_add(&out->skipped, "x.png: image without a mask"));
    MG_TRY(mg_texts_add(&out->skipped, "y.png: known to be broken"));
    return mg_texts_add(&out->notes, "things: 6, expected 7");
}

// d is c again, on the same side; f is a again, on the other.
static mg_status twin_read(const char *root, const void *config, const mg_scan *scan,
                           const mg_item *item, const mg_decode_hint *hint, mg_sample *out)
{
    char name = item->name[0];
    (void)root, (void)config, (void)scan;

    CHECK(hint->as_found && hint->long_side == 0);
    MG_CHECK(name != 'e', MG_ERR_FORMAT, "'e' ends early");
    *out = (mg_sample){.type = MG_U8, .depth = 1, .height = 2, .width = 2, .channels = 1};
    uint8_t *v = out->pixels = mg_calloc(4, 1);
    out->label = mg_calloc(4, 1);
    MG_CHECK(v && out->label, MG_ERR_MEMORY, "no memory");
    v[0] = name == 'd' ? 'c' : name == 'f' ? 'a' : (uint8_t)name;
    out->label[0] = name != 'b';
    if (name == 'c') snprintf(out->remark, sizeof out->remark, "a bit odd");
    return MG_OK;
}

static const mg_dataset twins = {.name = "twins",
                                 .labelled = true,
                                 .expected = {.width = {2, 2}, .height = {3, 5}},
                                 .scan = twin_scan,
                                 .read = twin_read};

static void sides(void **state)
{
    mg_check_order order = {.set = &twins, .root = folder, .out = tmpfile(), .threads = 2};
    mg_check_outcome o;
    char text[4096];
    (void)state;

    OK(mg_check_run(world, &order, &o));
    CHECK(o.cases == 6 && o.bad == 2 && o.odd == 4 && o.good == 0); // e; f leaks
    CHECK(o.duplicates == 2 && o.crossing == 1 && o.skipped == 1 && o.passed == 1 && o.counts == 1);
    if (mg_comm_rank(world) == 0) {
        rewind(order.out);
        size_t n = fread(text, 1, sizeof text - 1, order.out);
        text[n] = '\0';
        CHECK(strstr(text, "a: height 2, expected 3 to 5\n"));
        CHECK(strstr(text, "b: height 2, expected 3 to 5; label is empty\n"));
        CHECK(strstr(text, "c: height 2, expected 3 to 5; a bit odd\n"));
        CHECK(strstr(text, "same pixels as 'c'\n"));
        CHECK(strstr(text, "same pixels as 'a' on the other side of the split\n"));
        CHECK(strstr(text, "e: 'e' ends early\n"));
        CHECK(strstr(text, "p1: in train, and here in test: 'b'\n"));
        CHECK(strstr(
            text,
            "bad    -                  -                    -    -       -              x.png"));
    }
    fclose(order.out);
    order.rows = MG_CHECK_NONE;
    order.out = tmpfile();
    OK(mg_check_run(world, &order, &o));
    CHECK(ftell(order.out) == 0);
    fclose(order.out);
}

static int make_folder(void **state)
{
    char name[64] = "";
    (void)state;
    if (mg_comm_rank(world) == 0 && !check_folder(name, "sets")) return -1;
    mg_comm_bcast(world, name, sizeof name, 0);
    folder = mg_strdup(name);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    mg_comm_barrier(world);
    if (mg_comm_rank(world) == 0 && mg_remove_tree(folder)) return -1;
    mg_free(folder);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(end_to_end),
        cmocka_unit_test(in_order),
        cmocka_unit_test(sides),
    };
    if (mg_comm_start(&argc, &argv, &world)) return 1;
    int failed = cmocka_run_group_tests(tests, make_folder, remove_folder);
    mg_comm_end(&world);
    return failed;
}
