// The settings of data set `folder` (datasets.md section 13), made into rules:
//   images: images/{stem}.png          masks: masks/{stem}.png, or a list of
//   labels: {1: nerve, 2: vessel}             {pattern: ..., label: disc, threshold: 128}
//   ignore: [255]
#include <stdlib.h>
#include <string.h>

#include "datasets/folder.h"
#include "datasets/readers.h"
#include "runtime/json.h"

typedef struct {
    char *images, *modality;
    mg_json *masks, *labels, *ignore;
} config;

// clang-format off
static const mg_option options[] = {
    {"folder.images", MG_TEXT, offsetof(config, images), "images/{stem}.png", 0, 0, "pattern of the images below the root: {stem}, {patient}, *", NULL},
    {"folder.masks", MG_TREE, offsetof(config, masks), "", 0, 0, "pattern of label maps, or a list of {pattern, label, threshold}; none: unlabelled", NULL},
    {"folder.labels", MG_TREE, offsetof(config, labels), "", 0, 0, "values of label maps and their names: {1: nerve, 2: vessel}", NULL},
    {"folder.ignore", MG_TREE, offsetof(config, ignore), "", 0, 0, "values of masks to ignore: [255]", NULL},
    {"folder.modality", MG_TEXT, offsetof(config, modality), "", 0, 0, "what made the pictures: CT, MR, US, ...", NULL},
    {0},
};
// clang-format on

static mg_status check_pattern(const char *key, const char *pattern)
{
    MG_CHECK(strstr(pattern, "{stem}"), MG_ERR_CONFIG, "%s '%s' has no {stem}", key, pattern);
    MG_CHECK(*pattern != '/' && !strstr(pattern, ".."), MG_ERR_CONFIG,
             "%s '%s' must lie below the root", key, pattern);
    for (const char *p = strchr(pattern, '{'); p; p = strchr(p + 1, '{'))
        MG_CHECK(!strncmp(p, "{stem}", 6) || !strncmp(p, "{patient}", 9), MG_ERR_CONFIG,
                 "%s '%s': expected {stem} or {patient} at '%s'", key, pattern, p);
    return MG_OK;
}

// Number of the class of this name, made if new.
static mg_status class_by_name(mg_folder_rules *rules, const char *name, int most, int *number)
{
    for (int c = 0; c < rules->classes; c++) {
        if (strcmp(rules->class_name[c], name)) continue;
        *number = c + 1;
        return MG_OK;
    }
    MG_CHECK(rules->classes < most, MG_ERR_CONFIG, "more than %d classes at label '%s'", most,
             name);
    rules->class_name[rules->classes++] = name;
    *number = rules->classes;
    return MG_OK;
}

static mg_status add_value(mg_folder_rules *rules, int64_t value, int class_number)
{
    MG_CHECK(value >= 1 && value <= 65535, MG_ERR_CONFIG,
             "mask value %lld is out of bounds; expected 1 to 65535 (0 is background)",
             (long long)value);
    MG_CHECK(rules->values < MG_FOLDER_VALUES, MG_ERR_CONFIG, "more than %d mask values",
             MG_FOLDER_VALUES);
    rules->map[rules->values].value = (int)value;
    rules->map[rules->values++].class_number = class_number;
    return MG_OK;
}

static mg_status take_labels(const mg_json *labels, mg_folder_rules *rules)
{
    MG_CHECK(mg_json_is_object(labels) && mg_json_size(labels), MG_ERR_CONFIG,
             "folder.labels: expected values and names, such as {1: nerve, 2: vessel}");
    for (size_t i = 0; i < mg_json_size(labels); i++) {
        const mg_json *name;
        const char *key = mg_json_member(labels, i, &name);
        char *end;
        long value = strtol(key, &end, 10);
        int number = 0;
        MG_CHECK(*key && !*end, MG_ERR_CONFIG, "folder.labels: '%s' is not a whole number", key);
        MG_CHECK(mg_json_text(name), MG_ERR_CONFIG, "folder.labels: value %s has no name", key);
        MG_TRY(class_by_name(rules, mg_json_text(name), MG_MAX_CLASSES, &number));
        MG_TRY(add_value(rules, value, number));
    }
    return MG_OK;
}

static mg_status take_mask_list(const mg_json *list, mg_folder_rules *rules)
{
    size_t count = mg_json_size(list);
    MG_CHECK(count && count <= MG_MAX_CLASSES, MG_ERR_CONFIG,
             "folder.masks: %zu entries, expected 1 to %d", count, MG_MAX_CLASSES);
    for (size_t i = 0; i < count; i++) {
        const mg_json *entry = mg_json_at(list, i);
        const char *pattern = mg_json_text(mg_json_get(entry, "pattern"));
        const char *label = mg_json_text(mg_json_get(entry, "label"));
        int64_t threshold = mg_json_int(mg_json_get(entry, "threshold"), 128);
        MG_CHECK(pattern && label, MG_ERR_CONFIG,
                 "folder.masks: entry %zu must give pattern and label", i + 1);
        MG_CHECK(threshold >= 1 && threshold <= 65535, MG_ERR_CONFIG,
                 "folder.masks: threshold %lld of label '%s' is out of bounds; expected 1 to 65535",
                 (long long)threshold, label);
        MG_TRY(check_pattern("folder.masks", pattern));
        rules->mask[i].pattern = pattern;
        rules->mask[i].threshold = (int)threshold;
        // The last bit says "ignored".
        MG_TRY(class_by_name(rules, label, MG_MAX_CLASSES - 1, &rules->mask[i].class_number));
    }
    rules->masks = (int)count;
    return MG_OK;
}

static mg_status take_ignore(const mg_json *ignore, mg_folder_rules *rules)
{
    if (!ignore) return MG_OK;
    if (mg_json_is_number(ignore)) return add_value(rules, mg_json_int(ignore, 0), MG_LABEL_IGNORE);
    MG_CHECK(mg_json_is_array(ignore), MG_ERR_CONFIG,
             "folder.ignore: expected a list of values, such as [255]");
    for (size_t i = 0; i < mg_json_size(ignore); i++)
        MG_TRY(add_value(rules, mg_json_int(mg_json_at(ignore, i), 0), MG_LABEL_IGNORE));
    return MG_OK;
}

static mg_status make_rules(const config *cfg, mg_folder_rules *rules)
{
    *rules = (mg_folder_rules){.images = cfg->images, .modality = cfg->modality};
    MG_TRY(check_pattern("folder.images", cfg->images));
    if (!cfg->masks) return MG_OK;
    const char *single = mg_json_text(cfg->masks);
    if (single && !*single) return MG_OK;
    if (single) {
        MG_TRY(check_pattern("folder.masks", single));
        rules->mask[0].pattern = single;
        rules->masks = 1;
        MG_TRY(take_labels(cfg->labels, rules));
    } else {
        MG_CHECK(mg_json_is_array(cfg->masks), MG_ERR_CONFIG,
                 "folder.masks: expected a pattern or a list of {pattern, label, threshold}");
        MG_TRY(take_mask_list(cfg->masks, rules));
    }
    return take_ignore(cfg->ignore, rules);
}

static mg_status scan(const char *root, const void *cfg, mg_scan *out)
{
    mg_folder_rules rules;
    *out = (mg_scan){0};
    MG_TRY(make_rules(cfg, &rules));
    return mg_folder_scan(root, &rules, out);
}

static mg_status read(const char *root, const void *cfg, const mg_scan *found, const mg_item *item,
                      const mg_decode_hint *hint, mg_sample *out)
{
    mg_folder_rules rules;
    (void)found;
    MG_TRY(make_rules(cfg, &rules));
    return mg_folder_read(root, &rules, item, hint, out);
}

const mg_dataset mg_dataset_folder = {
    .name = "folder",
    .summary = "any images, with or without masks, paired by patterns",
    .labelled = true,
    .long_side = 1024,
    .options = options,
    .config_bytes = sizeof(config),
    .scan = scan,
    .read = read,
};
