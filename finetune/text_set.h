// Texts with their embeddings, as `medgraft text` writes them and training and evaluation read them
// (docs/formats.md): CLIP runs once, not in every step.
#ifndef MG_FINETUNE_TEXT_SET_H
#define MG_FINETUNE_TEXT_SET_H

#include "finetune/texts.h"

typedef struct {
    mg_corpus corpus;  // texts of all corpora; lines are those of their files
    int width;         // E
    float *unit;       // [corpus.count, E], each of length 1
    char *encoder;     // what embedded them: name of the weight file, or of the stand-in
    char hash[17];     // XXH3-64 of the encoder's parameters, 16 hex digits
    char checksum[17]; // of everything that counts, set by writing and reading
} mg_text_set;

// Written whole or not at all. MG_ERR_IO.
mg_status mg_text_set_write(mg_text_set *s, const char *path);

// MG_ERR_FORMAT if it is no such file, damaged, or holds a vector that is not of length 1. Release with
// mg_text_set_free, also after a failure.
mg_status mg_text_set_read(const char *path, mg_text_set *out);
void mg_text_set_free(mg_text_set *s);

#endif
