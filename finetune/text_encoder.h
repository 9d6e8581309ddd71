// What turns a text into a vector: CLIP's vocabulary and text transformer from the user's files; or,
// without them, a small stand-in of the same form that knows nothing but words: its tokens are
// learned from the corpus, its weights are drawn.
#ifndef MG_FINETUNE_TEXT_ENCODER_H
#define MG_FINETUNE_TEXT_ENCODER_H

#include "finetune/text_set.h"
#include "models/clip_text.h"
#include "models/vocabulary.h"

typedef struct {
    mg_vocabulary *vocabulary;
    mg_clip_text model;
    char *name;
} mg_text_encoder;

// Files of CLIP. `vocab`, `config` may be NULL, `heads` 0 (mg_clip_text_load). MG_ERR_FORMAT if the
// vocabulary is not that of the weights. Release with mg_text_encoder_close, also after a failure.
mg_status mg_text_encoder_open(const char *weights, const char *config, int heads,
                               const char *merges, const char *vocab, mg_text_encoder *out);

// The stand-in: vectors of 64 numbers, a function of the corpus and the seed.
mg_status mg_text_encoder_stand_in(const mg_corpus *corpus, uint64_t seed, mg_text_encoder *out);
void mg_text_encoder_close(mg_text_encoder *e);

// Embed the texts of a corpus, which is taken over (emptied). Texts too long for the context are cut
// with a warning that names them, or refused if `strict` (MG_ERR_FORMAT); `path` is for messages. On
// failure `out` is to be released all the same.
mg_status mg_text_encoder_run(const mg_text_encoder *e, mg_corpus *corpus, bool strict,
                              mg_text_set *out);

#endif
