// CLIP's vocabulary: 256 byte symbols, the same at the end of a word, one token for each merge in the
// order of its rank, start and end. Read from Hugging Face's merges.txt (and vocab.json, which must
// agree) or OpenAI's bpe_simple_vocab_16e6.txt, gzip or plain.
#ifndef MG_MODELS_VOCABULARY_H
#define MG_MODELS_VOCABULARY_H

#include <stdint.h>

#include "runtime/err.h"

enum { MG_VOCAB_BYTES = 256, MG_VOCAB_BASE = 512 }; // byte symbols; with those that end a word

typedef struct mg_vocabulary mg_vocabulary;

// `vocab_json` may be NULL. Any number of merges will do. MG_ERR_FORMAT names the file and the line.
// On failure *out is NULL.
mg_status mg_vocabulary_open(const char *merges, const char *vocab_json, mg_vocabulary **out);
// The merges in order of rank as pairs of tokens [merges, 2]; none gives the 512 base tokens.
mg_status mg_vocabulary_from_pairs(const int32_t *pairs, int merges, mg_vocabulary **out);
void mg_vocabulary_close(mg_vocabulary **v);

int mg_vocabulary_size(const mg_vocabulary *v);
int mg_vocabulary_start(const mg_vocabulary *v); // the last but one
int mg_vocabulary_end(const mg_vocabulary *v);   // the last
// The token that a pair of neighbours becomes, or -1. The lower, the earlier it is merged.
int mg_vocabulary_merged(const mg_vocabulary *v, int left, int right);
int mg_vocabulary_byte(unsigned char byte); // token of a byte inside a word; + 256 at its end

#endif
