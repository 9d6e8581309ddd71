// A vocabulary made from texts: byte pairs merged by how often they occur, most frequent first, so
// that common words become single tokens.
#ifndef MG_MODELS_VOCABULARY_LEARN_H
#define MG_MODELS_VOCABULARY_LEARN_H

#include "models/vocabulary.h"

// Up to `merges` merges of pairs that occur twice or more within words; of equally frequent ones the
// lower numbers come first. The order of the texts does not matter. MG_ERR_FORMAT: see mg_tokenize.
mg_status mg_vocabulary_learn(const char *const *text, int texts, int merges, mg_vocabulary **out);

#endif
