// Cleaning of a text before it is cut into tokens, as CLIP's tokeniser does it: strict UTF-8, repair
// (a subset of what the ftfy library does: entities, typographic quotes, ligatures, widths, control
// characters, composition), HTML entities twice, white space, lower case.
#ifndef MG_MODELS_TEXT_CLEAN_H
#define MG_MODELS_TEXT_CLEAN_H

#include "models/unicode.h"

enum { MG_TEXT_MOST = 65536 }; // bytes of a text

// Code points of the cleaned text: words between single spaces, none at the ends. Overwrites *out,
// which the caller releases (out->at), also after a failure. MG_ERR_FORMAT "invalid UTF-8 at byte N",
// or a text of more than MG_TEXT_MOST bytes.
mg_status mg_text_clean(const char *text, size_t bytes, mg_chars *out);

#endif
