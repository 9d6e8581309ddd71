// RUN: np=1,2
// Training by texts with the real commands, on drawn pictures with five organs: the text alone finds the
// organ that it names, by texts that training never saw; the same bits for any number of ranks; several
// targets are one union; what is refused.
#include "tests/check.h"

#include <unistd.h>

#include "datasets/dataset.h"
#include "datasets/decode.h"
#include "finetune/cmd.h"
#include "finetune/scores.h"
#include "finetune/seg_sample.h"
#include "finetune/text_encoder.h"
#include "runtime/comm.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"
#include "shard/source.h"
#include "shard/writer.h"
#include "tests/stack_data.h"

enum { SIDE = 32, ITEMS = 60, ORGANS = 5, WITHOUT = 7 }; // item WITHOUT has no aorta

static mg_comm *world, *alone;
static char folder[64], set[96], texts[96];

// --- pictures ---------------------------------------------------------------------------------------

// Middle, radii and grey value. The two kidneys, and liver and spleen, differ in place only.
static const struct {
    const char *name;
    double y, x, ry, rx;
    int grey;
} organs[ORGANS] = {{"liver", 10, 9, 6, 6, 150},
                    {"spleen", 10, 24, 5, 5, 150},
                    {"arota", 16, 16, 2.5, 2.5, 235},
                    {"right kidney", 23, 8, 4, 3, 195},
                    {"left kidney", 23, 24, 4, 3, 195}};

static mg_status organs_scan(const char *root, const void *config, mg_scan *out)
{
    (void)root, (void)config;
    out->classes = ORGANS;
    for (int c = 0; c < ORGANS; c++) strcpy(out->class_name[c], organs[c].name);
    for (int i = 0; i < ITEMS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.png", i);
        mg_item item = {.name = name,
                        .image = name,
                        .mask = name,
                        .patient = name,
                        .split = i % 3 == 2 ? "test" : "train"};
        MG_TRY(mg_scan_add(out, &item));
    }
    return MG_OK;
}

static mg_status organs_read(const char *root, const void *config, const mg_scan *scan,
                             const mg_item *item, const mg_decode_hint *hint, mg_sample *out)
{
    int i = atoi(item->name);
    mg_stream draw = {2, MG_RNG_FREE, 0, (uint32_t)i};
    (void)root, (void)config, (void)scan, (void)hint;
    *out = (mg_sample){.type = MG_U8, .depth = 1, .height = SIDE, .width = SIDE, .channels = 1};
    strcpy(out->decoder, "organs");
    uint8_t *v = out->pixels = mg_alloc(SIDE * SIDE);
    out->label = mg_calloc(SIDE * SIDE, 1);
    MG_CHECK(v && out->label, MG_ERR_MEMORY, "no memory");
    for (int k = 0; k < SIDE * SIDE; k++)
        v[k] = (uint8_t)(40 + mg_stream_word(&draw, 100 + (uint64_t)k) % 40);
    for (int c = 0; c < ORGANS; c++) {
        double y0 = organs[c].y + (double)(mg_stream_word(&draw, 2 * (uint64_t)c) % 5) - 2;
        double x0 = organs[c].x + (double)(mg_stream_word(&draw, 2 * (uint64_t)c + 1) % 5) - 2;
        if (i == WITHOUT && c == 2) continue;
        for (int k = 0; k < SIDE * SIDE; k++) {
            double y = (k / SIDE - y0) / organs[c].ry, x = (k % SIDE - x0) / organs[c].rx;
            if (y * y + x * x > 1) continue;
            out->label[k] = (uint8_t)(c + 1);
            v[k] =
                (uint8_t)(organs[c].grey + (int)(mg_stream_word(&draw, 5000 + (uint64_t)k) % 20));
        }
    }
    return MG_OK;
}

static mg_status pack(void)
{
    static const mg_dataset data = {
        .name = "organs", .labelled = true, .scan = organs_scan, .read = organs_read};
    mg_shard_order order = {.set = &data,
                            .config_text = "",
                            .root = "nowhere",
                            .out = set,
                            .size_mb = 100,
                            .level = 3,
                            .threads = 1};
    mg_shard_outcome outcome;
    return mg_shard_write(world, &order, &outcome);
}

static mg_status embed(void)
{
    mg_corpus corpus;
    mg_text_encoder encoder = {0};
    mg_text_set made = {0};

    mg_status st = mg_corpus_read("finetune/texts/amos.txt", NULL, &corpus);
    if (!st) st = mg_text_encoder_stand_in(&corpus, 0, &encoder);
    if (!st) st = mg_text_encoder_run(&encoder, &corpus, true, &made);
    if (!st) st = mg_text_set_write(&made, texts);
    mg_corpus_free(&corpus);
    mg_text_encoder_close(&encoder);
    mg_text_set_free(&made);
    return st;
}

// --- commands ---------------------------------------------------------------------------------------

static mg_status command(mg_status (*run)(const mg_args *), const mg_comm *comm, const char *name,
                         const char *const *settings)
{
    int count = 0;
    while (settings[count]) count++;
    mg_args args = {.world = comm, .command = name, .sets = {count, (char **)settings}};
    return run(&args);
}

static mg_status train(const mg_comm *comm, const char *name, const char *steps, const char *more)
{
    char out[128], sets[128], file[128];
    snprintf(out, sizeof out, "train.out=%s/%s", folder, name);
    snprintf(sets, sizeof sets, "data.sets=%s", set);
    snprintf(file, sizeof file, "prompts.texts=%s", texts);
    const char *settings[] = {out,
                              sets,
                              file,
                              steps,
                              "model.size=custom",
                              "model.image=32",
                              "model.patch=4",
                              "model.dim=32",
                              "model.depth=2",
                              "model.heads=2",
                              "model.window=4",
                              "model.global=1",
                              "model.prompt_dim=32",
                              "model.mask_in=4",
                              "model.decoder_heads=2",
                              "model.decoder_mlp=64",
                              "model.decoder_down=1",
                              "model.iou_hidden=16",
                              "train.mode=full",
                              "train.batch=8",
                              "train.leaves=4",
                              "train.lr=2e-3",
                              "train.warmup=0.1",
                              "train.save_every=1000",
                              "data.threads=1",
                              "prompts.click_weight=0",
                              "prompts.text_weight=1",
                              "prompts.text_click_weight=0.15",
                              "prompts.max_corrective=1",
                              more,
                              NULL};
    return command(mg_cmd_finetune, comm, "finetune", settings);
}

static mg_status evaluate(const char *name, const char *more)
{
    char out[128], model[128], sets[128], file[128];
    snprintf(out, sizeof out, "evaluate.out=%s/scores-%s", folder, name);
    snprintf(model, sizeof model, "evaluate.model=%s/%s", folder, name);
    snprintf(sets, sizeof sets, "data.sets=%s", set);
    snprintf(file, sizeof file, "evaluate.texts=%s", texts);
    const char *settings[] = {out,
                              model,
                              sets,
                              file,
                              "evaluate.clicks=1",
                              "evaluate.replicates=20",
                              "evaluate.pictures=0",
                              more,
                              NULL};
    return command(mg_cmd_evaluate, world, "evaluate", settings);
}

// Mean Dice of one protocol.
static double mean_dice(const char *name, const char *protocol, int *count)
{
    mg_scores scores = {0};
    char *path = mg_sprintf("%s/scores-%s", folder, name);
    double sum = 0;

    OK(mg_scores_read(path, &scores));
    *count = 0;
    for (int i = 0; i < (int)scores.count; i++) {
        if (strcmp(scores.row[i].protocol, protocol)) continue;
        sum += scores.row[i].value[MG_SCORE_DICE];
        ++*count;
    }
    mg_scores_free(&scores);
    mg_free(path);
    return sum / *count;
}

// A person asks for the liver of a picture that is not in the set.
static void predict_liver(void)
{
    char out[160], model[160], file[160], png[128], mask[128];
    mg_item item = {.name = "2.png"};
    mg_sample sample;
    mg_picture got;
    int both = 0, sum = 0;

    snprintf(png, sizeof png, "%s/2.png", folder);
    snprintf(mask, sizeof mask, "%s/mask.png", folder);
    snprintf(out, sizeof out, "predict.out=%s", mask);
    snprintf(model, sizeof model, "predict.model=%s/model", folder);
    snprintf(file, sizeof file, "predict.texts=%s", texts);
    OK(organs_read(NULL, NULL, NULL, &item, NULL, &sample));
    OK(mg_write_png(png, sample.pixels, SIDE, SIDE, 1));
    char *const sets[] = {out, model, file, "predict.text=Segment the liver."}, *pictures[] = {png};
    mg_args args = {.world = alone,
                    .command = "predict",
                    .sets = {4, (char **)sets},
                    .argc = 1,
                    .argv = pictures};
    OK(mg_cmd_predict(&args));
    OK(mg_decode_file(mask, 0, &got));
    for (int k = 0; k < SIDE * SIDE; k++) {
        bool wanted = sample.label[k] == 1, found = ((const uint8_t *)got.pixels)[k] != 0;
        both += wanted && found;
        sum += wanted + found;
    }
    CHECK(2.0 * both / sum > 0.5);
    mg_picture_free(&got);
    mg_free(sample.pixels), mg_free(sample.label);
}

static void finds_what_is_named(void **state)
{
    int count;
    (void)state;
    if (mg_comm_size(world) > 1) return; // the bits are the same there
    OK(train(world, "model", "train.steps=400", "train.seed=1"));
    OK(evaluate("model", "data.part=test"));
    OK(train(world, "begun", "train.steps=1", "train.seed=1"));
    OK(evaluate("begun", "data.part=test"));
    double text = mean_dice("model", "text", &count);
    CHECK(count == ITEMS / 3 * ORGANS);
    double both = mean_dice("model", "text + 1 click", &count);
    CHECK(count == ITEMS / 3 * ORGANS);
    predict_liver();
    double chance = mean_dice("begun", "text", &count);
    print_message("dice: text %.3f, text + 1 click %.3f, untrained %.3f\n", text, both, chance);
    CHECK(text >= 0.6 && both >= 0.6 && chance < 0.3);
}

// --- the same bits ----------------------------------------------------------------------------------

static uint64_t hash_of(const char *name)
{
    mg_finetune_config config;
    mg_seg_model model;
    char *path = mg_sprintf("%s/%s", folder, name);

    OK(mg_seg_model_open(alone, path, "", &config, &model));
    CHECK(model.text.width == 256 && config.text_width == 256 && strlen(config.text_encoder) == 16);
    uint64_t hash = mg_params_hash(&model.params);
    mg_seg_model_free(&model);
    mg_finetune_config_free(&config);
    mg_free(path);
    return hash;
}

static void same_bits_on_any_ranks(void **state)
{
    (void)state;
    OK(train(world, "all", "train.steps=4", "prompts.text_targets=each"));
    if (mg_comm_rank(world) != 0) return;
    OK(train(alone, "one", "train.steps=4", "prompts.text_targets=each"));
    CHECK(hash_of("all") == hash_of("one"));
}

static void refused(void **state)
{
    (void)state;
    if (mg_comm_rank(world) != 0) return;
    FAILS(train(alone, "no", "train.steps=1", "prompts.texts="), MG_ERR_CONFIG,
          "prompts.texts is not set");
    FAILS(train(alone, "no", "train.steps=1", "train.flip=true"), MG_ERR_CONFIG, "left and right");
}

// --- samples ----------------------------------------------------------------------------------------

// Each part of the target is the union of its classes' masks.
static void check_part(const mg_seg_data *d, const mg_seg_sample *s, int p)
{
    size_t cells = (size_t)d->model->cells * d->model->cells;
    mg_seg_sample part = mg_seg_sample_part(s, p, cells);
    uint8_t mask[SIDE * SIDE] = {0}, one[SIDE * SIDE];

    CHECK(cells == SIDE * SIDE); // one cell a pixel
    CHECK(s->part[p] >> (part.class_number - 1) & 1);
    for (int c = 1; c <= ORGANS; c++) {
        if (!(s->part[p] >> (c - 1) & 1)) continue;
        OK(mg_reader_mask(d->reader, s->sample, 0, 1, c, one, NULL));
        for (int k = 0; k < SIDE * SIDE; k++) mask[k] |= one[k];
    }
    assert_memory_equal(part.mask, mask, cells);
}

static void check_sample(const mg_seg_data *d, const mg_seg_sample *s, int *several)
{
    uint16_t classes = (uint16_t)(1u << (s->class_number - 1)), all = 0;

    if (s->unit) classes = d->texts->classes[(s->unit - d->texts->set.unit) / d->texts->set.width];
    CHECK(classes >> (s->class_number - 1) & 1);
    CHECK(!(classes & ~mg_reader_item(d->reader, s->sample)->classes));
    CHECK((s->kind == MG_PROMPT_TEXT || s->kind == MG_PROMPT_TEXT_CLICKS) == (s->unit != NULL));
    *several += (classes & (classes - 1)) != 0;
    CHECK(s->parts == (d->text_each ? __builtin_popcount(classes) : 1));
    for (int p = 0; p < s->parts; p++) {
        check_part(d, s, p);
        all |= s->part[p];
    }
    CHECK(all == classes);
}

static void check_samples(const char *targets)
{
    char sets[128], file[128];
    snprintf(sets, sizeof sets, "data.sets=%s", set);
    snprintf(file, sizeof file, "prompts.texts=%s", texts);
    const char *const settings[] = {sets,
                                    file,
                                    "model.size=custom",
                                    "model.image=32",
                                    "model.patch=4",
                                    "model.dim=16",
                                    "model.depth=1",
                                    "model.heads=2",
                                    "model.global=0",
                                    "prompts.text_weight=1",
                                    "prompts.text_width=256",
                                    "data.part=all",
                                    targets};
    mg_list list = {13, (char **)settings};
    mg_finetune_config c;
    mg_option_group group = {mg_finetune_options, &c};
    mg_seg_model model;
    mg_seg_data data;
    mg_reader *reader;
    mg_text_choice choice;
    int several = 0, texts_seen = 0;

    OK(mg_config_load(&group, 1, "train", NULL, NULL, &list));
    OK(mg_seg_model_build(&c, &model));
    OK(mg_source_open(alone, &c.data, &reader));
    OK(mg_text_choice_open(texts, reader, &choice));
    OK(mg_seg_data_open(reader, &model, &c, &choice, &data));
    void *slot = mg_alloc(mg_seg_slot_bytes(&data));
    for (int epoch = 0; epoch < 6; epoch++)
        for (int64_t i = 0; i < data.count; i++) {
            OK(mg_seg_produce(&data, epoch, i, slot));
            check_sample(&data, slot, &several);
            texts_seen += ((const mg_seg_sample *)slot)->unit != NULL;
        }
    CHECK(several > 10 && texts_seen > 100 && texts_seen < 6 * ITEMS);
    // Texts for evaluation: held out, of this target alone, in turns.
    int first = mg_text_choice_fixed(&choice, "left kidney", 0);
    CHECK(first >= 0 && choice.set.corpus.text[first].held_out && choice.classes[first] == 16);
    CHECK(mg_text_choice_fixed(&choice, "left kidney", 1) != first);
    CHECK(mg_text_choice_fixed(&choice, "left lung", 0) == -1);
    CHECK(mg_text_choice_count(&choice, 3) > 10); // the aorta, spelt as its data set does
    mg_free(slot);
    mg_seg_data_close(&data);
    mg_text_choice_close(&choice);
    mg_reader_close(&reader);
    mg_seg_model_free(&model);
    mg_config_free(&group, 1);
}

static void targets_of_texts(void **state)
{
    (void)state;
    if (mg_comm_rank(world) != 0) return;
    check_samples("prompts.text_targets=union");
    check_samples("prompts.text_targets=each");
}

// --- volumes ----------------------------------------------------------------------------------------

// Rows of a protocol for a class of the volumes.
static void stacks_take_texts(void **state)
{
    char balls[96], out[128], sets[128], file[128], model[128];
    int count;

    (void)state;
    if (mg_comm_size(world) > 1) return;
    snprintf(balls, sizeof balls, "%s/balls", folder);
    OK(balls_pack(world, balls));
    snprintf(out, sizeof out, "train.out=%s/stacks", folder);
    snprintf(sets, sizeof sets, "data.sets=%s", balls);
    snprintf(file, sizeof file, "prompts.texts=%s", texts);
    const char *how[] = {BALLS_MODEL,
                         out,
                         sets,
                         file,
                         "train.batch=4",
                         "train.leaves=4",
                         "train.steps=3",
                         "prompts.text_weight=1",
                         "prompts.text_click_weight=1",
                         "prompts.text_targets=each",
                         "prompts.text_absent=true",
                         NULL};
    OK(command(mg_cmd_finetune, world, "finetune", how));
    snprintf(out, sizeof out, "evaluate.out=%s/scores-stacks", folder);
    snprintf(model, sizeof model, "evaluate.model=%s/stacks", folder);
    snprintf(file, sizeof file, "evaluate.texts=%s", texts);
    const char *asked[] = {out,
                           model,
                           sets,
                           file,
                           "data.part=all",
                           "evaluate.clicks=1",
                           "evaluate.replicates=0",
                           "evaluate.pictures=0",
                           NULL};
    OK(command(mg_cmd_evaluate, world, "evaluate", asked));
    mean_dice("stacks", "text (D=4)", &count);
    CHECK(count == 2 * BALLS_ITEMS - 1); // one does not say where its spleen is
    mean_dice("stacks", "text + 1 click/stack (D=4)", &count);
    CHECK(count == 2 * BALLS_ITEMS - 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_of_texts),       cmocka_unit_test(stacks_take_texts),
        cmocka_unit_test(same_bits_on_any_ranks), cmocka_unit_test(refused),
        cmocka_unit_test(finds_what_is_named),
    };

    alarm(240); // a test that fails on one rank leaves the others waiting
    if (mg_comm_start(&argc, &argv, &world) || mg_comm_alone(&alone)) return 1;
    mg_log_init(mg_comm_rank(world), mg_comm_size(world));
    snprintf(folder, sizeof folder, "build/test_text_training%d", mg_comm_size(world));
    snprintf(set, sizeof set, "%s/set", folder);
    snprintf(texts, sizeof texts, "%s/texts.h5", folder);
    if (mg_comm_rank(world) == 0) mg_remove_tree(folder);
    mg_comm_barrier(world);
    OK(pack());
    if (mg_comm_rank(world) == 0) OK(embed());
    mg_comm_barrier(world);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mg_comm_barrier(world);
    if (mg_comm_rank(world) == 0) mg_remove_tree(folder);
    mg_comm_end(&alone);
    mg_comm_end(&world);
    return failed;
}
