// CLIP's tokeniser: text -> cleaned text -> pieces -> byte pairs merged by rank -> token numbers ->
// frame of fixed length. Follows OpenAI's simple tokeniser.
#ifndef MG_MODELS_TOKENIZER_H
#define MG_MODELS_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/vocabulary.h"
#include "runtime/err.h"

// Token numbers of a text without start and end; the caller releases *ids with mg_free. A text may
// be empty. "<|startoftext|>" and "<|endoftext|>" in it become the special tokens.
// MG_ERR_FORMAT: see mg_text_clean.
mg_status mg_tokenize(const mg_vocabulary *v, const char *text, size_t bytes, int32_t **ids,
                      int *count);

// [start] ids [end] and zeros: `out` [context]. What does not fit is cut so that `end` stands last.
// Returns the number of tokens with start and end; `cut` (may be NULL) tells whether some were lost.
int mg_token_frame(const mg_vocabulary *v, const int32_t *ids, int count, int32_t *out, int context,
                   bool *cut);

#endif
