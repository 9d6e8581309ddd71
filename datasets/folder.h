// Images and masks paired by patterns (datasets.md section 13): the reader of the data set `folder`,
// and of every set that is one with fixed rules.
#ifndef MG_DATASETS_FOLDER_H
#define MG_DATASETS_FOLDER_H

#include "datasets/dataset.h"

enum { MG_FOLDER_VALUES = 256 };

// Where masks lie and what their values mean. Texts are borrowed.
typedef struct {
    const char *images;   // pattern
    const char *modality; // "" if unknown
    int masks;            // patterns below; 0: unlabelled
    struct {
        const char *pattern;
        int class_number; // of a list of masks: value >= threshold is this class; 0: a label map
        int threshold;
    } mask[MG_MAX_CLASSES];
    int classes;
    const char *class_name[MG_MAX_CLASSES];
    int values; // of a label map
    struct {
        int value, class_number; // class MG_LABEL_IGNORE: ignored
    } map[MG_FOLDER_VALUES];
} mg_folder_rules;

// Pattern matching: `{stem}` and `{patient}` stand for the same run of characters other than '/'
// wherever they stand, `*` for any such run; the extension matches in any case. The shortest runs
// that fit are taken. Captures are written as texts of at most 255 bytes ("" if not in the pattern).
bool mg_folder_match(const char *pattern, const char *path, char stem[256], char patient[256]);

// The functions of mg_dataset, for given rules.
mg_status mg_folder_scan(const char *root, const mg_folder_rules *rules, mg_scan *out);
mg_status mg_folder_read(const char *root, const mg_folder_rules *rules, const mg_item *item,
                         const mg_decode_hint *hint, mg_sample *out);

#endif
