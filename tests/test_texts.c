// Corpora of texts: what is refused and where, names of targets, held-out texts; and the corpora that
// are shipped: enough texts for each target, each one there once and with the name of its target.
#include "tests/check.h"

#include <strings.h>

#include "finetune/texts.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

static char folder[64];

static mg_status read_text(const char *text, const mg_list *own, mg_corpus *c)
{
    char *path = mg_path_join(folder, "corpus.txt");
    OK(mg_write_file(path, text, strlen(text)));
    mg_status st = mg_corpus_read(path, own, c);
    mg_free(path);
    return st;
}

static void refused(const char *text, const char *message)
{
    mg_corpus c;
    FAILS(read_text(text, NULL, &c), MG_ERR_FORMAT, message);
    mg_corpus_free(&c);
}

static void test_refused(void **state)
{
    (void)state;
    refused("# nothing\n\n", "has no texts");
    refused("The liver.\tliver\nThe spleen. spleen\n", "line 2 is not a text, a tab and");
    refused("The liver.\tliver\tspleen\n", "line 1 is not a text, a tab and");
    refused("\n \tliver\n", "line 2 has no text");
    refused("The liver.\tlivers\n", "line 1: unknown target 'livers'");
    refused("The liver.\t\n", "line 1: name of a target is missing");
    refused("The liver.\tliver,\n", "line 1: name of a target is missing");
    refused("The liver.\tliver, Liver\n", "line 1 names target 'liver' twice");
    refused("The liver.\tliver\n#\nthe LIVER.\tliver\n", "line 3 repeats the text of line 1");
    refused("The \xC3 liver.\tliver\n", "line 1: invalid UTF-8 at byte 4");
    refused("The liver <|EndOfText|>.\tliver\n", "line 1: text contains a special token");
}

static void test_read(void **state)
{
    (void)state;
    mg_corpus c;
    char *own_names[] = {"Left Lung"};
    mg_list own = {1, own_names};
    const char *text = "# corpus\r\n"
                       "one\tliver\r\n"
                       "two\tLiver , arota\r\n"
                       "three\tleft_lung\r\n"
                       "four\tliver\nfive\tliver\nsix\tliver\nseven\tliver\neight\taorta";

    OK(read_text(text, &own, &c));
    CHECK(c.count == 8 && c.targets == 3);
    assert_string_equal(c.target[1], "aorta");
    assert_string_equal(c.target[2], "left lung");
    assert_string_equal(c.text[1].text, "two");
    CHECK(c.text[1].targets == 3 && c.text[1].line == 3);
    for (int i = 0; i < c.count; i++) CHECK(c.text[i].held_out == (i == 6)); // fifth of the liver
    CHECK(mg_corpus_count(&c, "liver", false) == 6 && mg_corpus_count(&c, "liver", true) == 5);
    CHECK(mg_corpus_count(&c, "spleen", false) == 0);
    mg_corpus_free(&c);
    CHECK(mg_target_same("Gall Bladder", "gallbladder") && mg_target_same("tumor_core", "TC"));
    CHECK(!mg_target_same("left kidney", "right kidney") && mg_target_same("lung", "Lung "));
    CHECK(!mg_target_same("lung", "liver") && !mg_target_same("liver", "lung"));
}

// --- what is shipped --------------------------------------------------------------------------------

static const struct {
    const char *file, *targets;
} shipped[] = {
    {"amos", "spleen,right kidney,left kidney,gall bladder,esophagus,liver,stomach,arota,postcava,"
             "pancreas,right adrenal gland,left adrenal gland,duodenum,bladder,prostate/uterus"},
    {"btcv", "spleen,right kidney,left kidney,gallbladder,esophagus,liver,stomach,aorta,"
             "inferior vena cava,portal and splenic veins,pancreas,right adrenal gland,"
             "left adrenal gland"},
    {"fundus", "optic disc,optic cup"},
    {"brats", "whole tumour,tumour core,enhancing tumour,oedema,necrosis"},
    {"thyroid", "nodule"},
    {"skin", "lesion,melanoma,nevus"},
};

// A word that the text must contain, beside the name itself.
static const char *const words[][6] = {
    {"right kidney", "kidneys", "kidney"},
    {"left kidney", "kidneys", "kidney"},
    {"gallbladder", "gall bladder"},
    {"esophagus", "oesophagus"},
    {"inferior vena cava", "IVC", "vena cava", "postcava"},
    {"portal and splenic veins", "portal vein", "splenic vein"},
    {"right adrenal gland", "right suprarenal", "right adrenal", "adrenal gland"},
    {"left adrenal gland", "left suprarenal", "left adrenal", "adrenal gland"},
    {"duodenum", "duodenal"},
    {"prostate/uterus", "prostate", "uterus"},
    {"optic disc", "disc of the optic nerve", "disc"},
    {"optic cup", "cup"},
    {"whole tumour", "whole tumor"},
    {"tumour core", "tumor core"},
    {"enhancing tumour", "enhancing tumor", "enhancing rim"},
    {"oedema", "edema"},
    {"necrosis", "necrotic"},
    {"nevus", "naevus"},
};

static bool names(const char *text, const char *target)
{
    if (strcasestr(text, target)) return true;
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        for (int i = 1; !strcmp(words[w][0], target) && i < 6 && words[w][i]; i++)
            if (strcasestr(text, words[w][i])) return true;
    return false;
}

static void test_shipped(void **state)
{
    (void)state;
    mg_corpus c[6];
    int several = 0;

    for (int f = 0; f < 6; f++) {
        char *path = mg_sprintf("finetune/texts/%s.txt", shipped[f].file), *list, *rest, *name;
        OK(mg_corpus_read(path, NULL, &c[f]));
        rest = list = mg_strdup(shipped[f].targets);
        int targets = 0;
        for (; (name = strsep(&rest, ",")); targets++)
            if (mg_corpus_count(&c[f], name, true) < 20)
                fail_msg("%s has only %d texts for '%s'", path, mg_corpus_count(&c[f], name, true),
                         name);
        CHECK(c[f].targets == targets);
        mg_free(list);
        mg_free(path);
        for (int i = 0; i < c[f].count; i++) {
            const mg_text *t = &c[f].text[i];
            several += (t->targets & (t->targets - 1)) != 0;
            for (int k = 0; k < c[f].targets; k++)
                if (t->targets >> k & 1 && !names(t->text, c[f].target[k]))
                    fail_msg("%s line %d does not name '%s'", shipped[f].file, t->line,
                             c[f].target[k]);
            for (int g = 0; g < f; g++)
                for (int j = 0; j < c[g].count; j++)
                    if (!strcasecmp(t->text, c[g].text[j].text))
                        fail_msg("%s line %d is also in %s", shipped[f].file, t->line,
                                 shipped[g].file);
        }
    }
    CHECK(several >= 60);
    for (int f = 0; f < 6; f++) mg_corpus_free(&c[f]);
    CHECK(mg_mem_live() == 0);
}

static int end(void **state)
{
    (void)state;
    mg_remove_tree(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_shipped),
    };
    if (!check_folder(folder, "texts")) return 1;
    return cmocka_run_group_tests(tests, NULL, end);
}
