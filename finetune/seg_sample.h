// Training samples of stage two: a picture, or a stack of slices of a volume, in the model frame and
// the mask of one target on the logit grid (prompts-and-metrics.md 5.4, model.md 3 and 13.3), each a
// function of (seed, epoch, sample). A volume gives one stack per epoch.
#ifndef MG_FINETUNE_SEG_SAMPLE_H
#define MG_FINETUNE_SEG_SAMPLE_H

#include "finetune/finetune_config.h"
#include "finetune/seg_model.h"
#include "finetune/text_choice.h"
#include "shard/shard.h"

// What is prepared for one sample. The arrays lie behind it in the same slot.
typedef struct {
    int64_t sample; // index in the reader
    int class_number;
    int first, slices; // of the volume; 0, 1 for a picture
    mg_prompt_kind kind;
    const float *unit; // vector of its text, NULL without
    // Masks that are asked for one after the other, each counting 1 / parts: the class's, all that the
    // text names as one, or (prompts.text_targets: each) those that it names one by one.
    int parts;
    uint16_t part[MG_SHARD_CLASSES]; // classes of each, bit c-1
    int64_t valid_cells;             // mean over the parts
    float *image;                    // [slices, 3, S, S]
    float *target;                   // [parts, slices, cells, cells], 0 or 1
    uint8_t *mask;                   // the same as bytes
    uint8_t *
        valid; // [parts, slices, cells, cells], 0 in the padding and where the label is to be ignored
    uint8_t *ignore; // 1 - valid
} mg_seg_sample;

typedef struct {
    const mg_reader *reader;   // not owned
    const mg_seg_model *model; // not owned; sizes only
    uint64_t seed;
    bool flip, instances, text_absent, text_each;
    int parts; // of the largest sample
    double weight[MG_PROMPT_KINDS];
    const mg_text_choice *texts; // not owned; NULL without
    bool volumes;                // samples are stacks
    int slices;                  // of the largest sample: 1, or D of volumes that are that deep
    double window_values[2];
    const double *window; // of CT, NULL: as stored
    int64_t *index;       // samples with at least one class: their numbers in the reader
    int64_t count;
    int64_t *slice_number; // [items of the reader] dataset-wide number of an item's first slice
} mg_seg_data;

// List the samples that can be trained on. `texts` may be NULL. MG_ERR_CONFIG if there is none, or the
// mix of prompts asks for texts that are not there.
mg_status mg_seg_data_open(const mg_reader *reader, const mg_seg_model *model,
                           const mg_finetune_config *config, const mg_text_choice *texts,
                           mg_seg_data *out);
void mg_seg_data_close(mg_seg_data *data);

// Part `p` of a sample, as if it were all of it but for its weight, 1 / parts.
mg_seg_sample mg_seg_sample_part(const mg_seg_sample *s, int p, size_t cells_of_slice);

size_t mg_seg_slot_bytes(const mg_seg_data *data);

// Has the type of mg_produce: ctx is a mg_seg_data, `entry` a place in its index, `slot` begins with
// a mg_seg_sample.
mg_status mg_seg_produce(void *ctx, int64_t epoch, int64_t entry, void *slot);

#endif
