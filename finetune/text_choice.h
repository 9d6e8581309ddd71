// Which text of a set stands for a class of a shard set: names are matched once, then texts are drawn
// for training (prompts-and-metrics.md 5.4, item 6) and dealt for evaluation.
#ifndef MG_FINETUNE_TEXT_CHOICE_H
#define MG_FINETUNE_TEXT_CHOICE_H

#include "finetune/prompts.h"
#include "finetune/text_set.h"
#include "shard/shard.h"

typedef struct {
    mg_text_set set;
    uint16_t
        *classes; // of each text, bit c-1: it names class c; 0: it names something that is no class
} mg_text_choice;

// Read the file and match its targets with the reader's classes. Release with mg_text_choice_close, also after a failure.
mg_status mg_text_choice_open(const char *path, const mg_reader *reader, mg_text_choice *out);
void mg_text_choice_close(mg_text_choice *c);

// Training texts that name class `class_number` and no other.
int mg_text_choice_count(const mg_text_choice *c, int class_number);

// The most classes that a text names.
int mg_text_choice_most(const mg_text_choice *c);

// A text for the class of `key`, or -1 if there is none: not held out, of several targets only if all of
// them were labelled (`unknown`) and are in the picture (`present`; with `absent` that does not matter).
int mg_text_choice_draw(const mg_text_choice *c, const mg_prompt_key *key, uint16_t present,
                        uint16_t unknown, bool absent);

// The held-out text that names this target (a class, or a region of several) alone, for case `sample`:
// they take turns. -1 without.
int mg_text_choice_fixed(const mg_text_choice *c, const char *name, int64_t sample);

const float *mg_text_choice_unit(const mg_text_choice *c, int text); // [set.width]

#endif
