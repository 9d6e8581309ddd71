// Code points; see unicode.h.
#include "models/unicode.h"

#include <string.h>
#include <utf8proc.h>

#include "runtime/mem.h"

int mg_utf8_decode(const char *text, size_t bytes, int32_t *point)
{
    if (bytes == 0) return 0;
    // utf8proc refuses all malformed forms; with a count it looks at no byte behind it.
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text,
                                          bytes < 4 ? (utf8proc_ssize_t)bytes : 4, point);
    return n > 0 ? (int)n : 0;
}

int mg_utf8_encode(int32_t point, char out[4])
{
    return (int)utf8proc_encode_char(point, (utf8proc_uint8_t *)out);
}

mg_char_class mg_char_class_of(int32_t point)
{
    if ((point >= 0x9 && point <= 0xD) || point == 0x85) return MG_CHAR_SPACE;
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return MG_CHAR_LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return MG_CHAR_NUMBER;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return MG_CHAR_SPACE;
    default:
        return MG_CHAR_OTHER;
    }
}

int mg_char_lower(int32_t point, int32_t out[2])
{
    out[0] = utf8proc_tolower(point);
    if (point != 0x130) return 1; // capital i with a dot, the only one of two code points
    out[1] = 0x307;
    return 2;
}

int mg_char_plain(int32_t point, int32_t out[MG_CHAR_WIDEST])
{
    const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    utf8proc_ssize_t n =
        utf8proc_decompose_char(point, out, MG_CHAR_WIDEST, options | UTF8PROC_COMPAT, NULL);

    if (n > 0 && n <= MG_CHAR_WIDEST) n = utf8proc_normalize_utf32(out, n, options);
    if (n > 0 && n <= MG_CHAR_WIDEST) return (int)n;
    out[0] = point;
    return 1;
}

static mg_status chars_reserve(mg_chars *list, size_t room)
{
    if (room <= list->room) return MG_OK;
    if (room < 2 * list->room) room = 2 * list->room;
    int32_t *at = mg_realloc(list->at, room * sizeof *at);
    MG_CHECK(at, MG_ERR_MEMORY, "cannot allocate %zu characters", room);
    list->at = at;
    list->room = room;
    return MG_OK;
}

mg_status mg_chars_add(mg_chars *list, const int32_t *points, size_t count)
{
    MG_TRY(chars_reserve(list, list->count + count + 1));
    if (count) memcpy(list->at + list->count, points, count * sizeof *points);
    list->count += count;
    return MG_OK;
}

// NFC of UTF-8 bytes into out->at.
static mg_status compose_bytes(mg_chars *out, const char *text, size_t bytes)
{
    const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    const utf8proc_uint8_t *in = (const utf8proc_uint8_t *)text;
    utf8proc_ssize_t n = utf8proc_decompose(in, (utf8proc_ssize_t)bytes, NULL, 0, options);

    MG_CHECK(n >= 0, MG_ERR_FORMAT, "cannot decompose a text: %s", utf8proc_errmsg(n));
    MG_TRY(chars_reserve(out, (size_t)n + 1)); // the library writes a zero behind the last
    n = utf8proc_decompose(in, (utf8proc_ssize_t)bytes, out->at, n, options);
    if (n >= 0) n = utf8proc_normalize_utf32(out->at, n, options);
    MG_CHECK(n >= 0, MG_ERR_FORMAT, "cannot compose a text: %s", utf8proc_errmsg(n));
    out->count = (size_t)n;
    return MG_OK;
}

mg_status mg_chars_compose(mg_chars *out, const mg_chars *in)
{
    size_t bytes = 0;
    bool plain = true; // nothing below U+0300 composes

    out->count = 0;
    for (size_t i = 0; i < in->count; i++) plain = plain && in->at[i] < 0x300;
    if (plain) return mg_chars_add(out, in->at, in->count);
    char *text = mg_alloc(4 * in->count);
    MG_CHECK(text, MG_ERR_MEMORY, "cannot allocate a text of %zu characters", in->count);
    for (size_t i = 0; i < in->count; i++) bytes += (size_t)mg_utf8_encode(in->at[i], text + bytes);
    mg_status st = compose_bytes(out, text, bytes);
    mg_free(text);
    return st;
}
