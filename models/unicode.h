// Code points: strict UTF-8, classes, lower case, normal form. The one home of utf8proc, whose data
// (Unicode 15) do not depend on the locale.
#ifndef MG_MODELS_UNICODE_H
#define MG_MODELS_UNICODE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/err.h"

// The code point at the start of `text`: returns its number of bytes, or 0 if none is there: no
// bytes, a lone or missing continuation, an overlong form, a surrogate, more than 10FFFF.
int mg_utf8_decode(const char *text, size_t bytes, int32_t *point);
int mg_utf8_encode(int32_t point, char out[4]); // number of bytes

typedef enum {
    MG_CHAR_LETTER, // general categories L*
    MG_CHAR_NUMBER, // N*, so also superscripts, fractions, Roman numerals
    MG_CHAR_SPACE,  // White_Space
    MG_CHAR_OTHER,  // punctuation, symbols, combining marks, unassigned
} mg_char_class;
mg_char_class mg_char_class_of(int32_t point);

// Lower case, one or two code points; returns how many.
int mg_char_lower(int32_t point, int32_t out[2]);

// Compatibility form (NFKC) of one code point, for ligatures and full-width forms. Returns how many.
enum { MG_CHAR_WIDEST = 18 };
int mg_char_plain(int32_t point, int32_t out[MG_CHAR_WIDEST]);

// A growing list of code points; `at` is released with mg_free.
typedef struct {
    int32_t *at;
    size_t count, room;
} mg_chars;
mg_status mg_chars_add(mg_chars *list, const int32_t *points, size_t count);

// Canonical composition (NFC). Overwrites *out, which must be another list.
mg_status mg_chars_compose(mg_chars *out, const mg_chars *in);

#endif
