// Cleaning of texts; see text_clean.h. Steps and their order are those of CLIP's tokeniser:
// fix_text, html.unescape twice, white space, lower case.
#include "models/text_clean.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/mem.h"

enum { LINE_FEED = 0xA, MOST_ROUNDS = 16, MOST_NAME = 24 };

static mg_status decode(const char *text, size_t bytes, mg_chars *out)
{
    int32_t point;

    MG_CHECK(bytes <= MG_TEXT_MOST, MG_ERR_FORMAT, "text of %zu bytes, more than %d", bytes,
             MG_TEXT_MOST);
    for (size_t i = 0; i < bytes;) {
        int n = mg_utf8_decode(text + i, bytes - i, &point);
        MG_CHECK(n, MG_ERR_FORMAT, "invalid UTF-8 at byte %zu", i);
        MG_TRY(mg_chars_add(out, &point, 1));
        i += (size_t)n;
    }
    return MG_OK;
}

// --- entities ---------------------------------------------------------------------------------------

// clang-format off
static const struct {
    const char *name;
    int32_t point;
} entities[] = {
    {"amp", 0x26}, {"lt", 0x3C}, {"gt", 0x3E}, {"quot", 0x22}, {"apos", 0x27}, {"nbsp", 0xA0},
    {"deg", 0xB0}, {"micro", 0xB5}, {"plusmn", 0xB1}, {"times", 0xD7}, {"divide", 0xF7},
    {"middot", 0xB7}, {"sup2", 0xB2}, {"sup3", 0xB3}, {"frac12", 0xBD}, {"le", 0x2264},
    {"ge", 0x2265}, {"ne", 0x2260}, {"alpha", 0x3B1}, {"beta", 0x3B2}, {"gamma", 0x3B3},
    {"delta", 0x3B4}, {"mu", 0x3BC}, {"Omega", 0x3A9}, {"ndash", 0x2013}, {"mdash", 0x2014},
    {"hellip", 0x2026}, {"bull", 0x2022}, {"copy", 0xA9}, {"reg", 0xAE}, {"trade", 0x2122},
    {"lsquo", 0x2018}, {"rsquo", 0x2019}, {"ldquo", 0x201C}, {"rdquo", 0x201D}, {"eacute", 0xE9},
    {"egrave", 0xE8}, {"agrave", 0xE0}, {"ouml", 0xF6}, {"uuml", 0xFC}, {"auml", 0xE4},
    {"ccedil", 0xE7}, {"rarr", 0x2192}, {"larr", 0x2190},
};
// clang-format on

// Whether a numeric reference may stand for it: no control character but tab and line feed, no
// surrogate, no non-character.
static bool may_be_referred(unsigned long point)
{
    if (point < 0x20) return point == 0x9 || point == 0xA;
    if (point >= 0x7F && point <= 0x9F) return false;
    if ((point >= 0xD800 && point <= 0xDFFF) || (point >= 0xFDD0 && point <= 0xFDEF)) return false;
    return point <= 0x10FFFF && (point & 0xFFFE) != 0xFFFE;
}

static bool numeric(const char *digits, int32_t *point)
{
    int base = digits[0] == 'x' || digits[0] == 'X' ? 16 : 10;
    const char *first = digits + (base == 16);
    size_t valid = strspn(first, base == 16 ? "0123456789abcdefABCDEF" : "0123456789");

    if (!valid || first[valid]) return false;
    unsigned long value = strtoul(first, NULL, base);
    if (!may_be_referred(value)) return false;
    *point = (int32_t)value;
    return true;
}

// Length of the entity that begins with the '&' here, semicolon included; 0 if there is none.
static size_t entity_at(const int32_t *at, size_t left, int32_t *point)
{
    char name[MOST_NAME + 2] = "";
    size_t n = 1;

    while (n < left && n <= MOST_NAME + 1 && at[n] > 0x20 && at[n] < 0x7F && at[n] != ';') n++;
    if (n >= left || n > MOST_NAME + 1 || at[n] != ';') return 0;
    for (size_t i = 1; i < n; i++) name[i - 1] = (char)at[i];
    if (name[0] == '#') return numeric(name + 1, point) ? n + 1 : 0;
    for (size_t e = 0; e < sizeof entities / sizeof *entities; e++)
        if (!strcmp(entities[e].name, name)) {
            *point = entities[e].point;
            return n + 1;
        }
    return 0;
}

static mg_status unescape(mg_chars *out, const mg_chars *in)
{
    int32_t point;

    out->count = 0;
    for (size_t i = 0; i < in->count;) {
        size_t n = in->at[i] == '&' ? entity_at(in->at + i, in->count - i, &point) : 0;
        MG_TRY(mg_chars_add(out, n ? &point : &in->at[i], 1));
        i += n ? n : 1;
    }
    return MG_OK;
}

// --- repair -----------------------------------------------------------------------------------------

static bool within(int32_t point, int32_t first, int32_t last)
{
    return point >= first && point <= last;
}

static bool is_control(int32_t c)
{
    return within(c, 0, 8) || c == 0xB || within(c, 0xE, 0x1F) || c == 0x7F ||
           within(c, 0x206A, 0x206F) || c == 0xFEFF || within(c, 0xFFF9, 0xFFFC);
}

// Latin ligatures and digraphs, full and half width.
static bool has_plain_form(int32_t c)
{
    return within(c, 0x132, 0x133) || within(c, 0x1C4, 0x1CC) || within(c, 0x1F1, 0x1F3) ||
           within(c, 0xFB00, 0xFB06) || c == 0x3000 || within(c, 0xFF01, 0xFFEF);
}

// What takes the place of one code point; returns how many.
static int replacement(int32_t c, int32_t out[MG_CHAR_WIDEST])
{
    out[0] = c;
    if (is_control(c)) return 0;
    if (c == 0xD || c == 0x2028 || c == 0x2029) out[0] = LINE_FEED;
    if (within(c, 0x2018, 0x201B) || c == 0x2BC) out[0] = '\'';
    if (within(c, 0x201C, 0x201F)) out[0] = '"';
    if (c == 0x149) return out[0] = '\'', out[1] = 'n', 2;
    if (c == 0xFB05) return out[0] = 0x17F, out[1] = 't', 2; // long s stays
    return has_plain_form(c) ? mg_char_plain(c, out) : 1;
}

static mg_status replace(mg_chars *out, const mg_chars *in)
{
    int32_t by[MG_CHAR_WIDEST];

    out->count = 0;
    for (size_t i = 0; i < in->count; i++) {
        if (in->at[i] == 0xD && i + 1 < in->count && in->at[i + 1] == LINE_FEED) continue;
        int n = replacement(in->at[i], by);
        MG_TRY(mg_chars_add(out, by, (size_t)n));
    }
    return MG_OK;
}

static bool same(const mg_chars *a, const mg_chars *b)
{
    return a->count == b->count && !memcmp(a->at, b->at, a->count * sizeof *a->at);
}

static void swap(mg_chars *a, mg_chars *b)
{
    mg_chars kept = *a;
    *a = *b;
    *b = kept;
}

// One line, until nothing changes. `other` is room to work in.
static mg_status repair_line(mg_chars *line, bool entities_too, mg_chars *other)
{
    bool changed = true;

    for (int round = 0; changed && round < MOST_ROUNDS; round++) {
        changed = false;
        if (entities_too) {
            MG_TRY(unescape(other, line));
            changed = !same(other, line);
            swap(other, line);
        }
        MG_TRY(replace(other, line));
        changed = changed || !same(other, line);
        MG_TRY(mg_chars_compose(line, other));
        changed = changed || !same(other, line);
    }
    return MG_OK;
}

// Line by line. A '<' looks like markup, in which entities are meant: they stay from that line on.
static mg_status repair(mg_chars *out, const mg_chars *in, mg_chars *line, mg_chars *other)
{
    bool markup = false;

    out->count = 0;
    for (size_t i = 0, end; i < in->count; i = end) {
        for (end = i; end < in->count; end++) {
            markup = markup || in->at[end] == '<';
            if (in->at[end] == LINE_FEED) break;
        }
        end += end < in->count;
        line->count = 0;
        MG_TRY(mg_chars_add(line, in->at + i, end - i));
        MG_TRY(repair_line(line, !markup, other));
        MG_TRY(mg_chars_add(out, line->at, line->count));
    }
    return MG_OK;
}

// --- white space and case ---------------------------------------------------------------------------

static mg_status fold(mg_chars *out, const mg_chars *in)
{
    const int32_t space = ' ';
    int32_t lower[2];
    bool gap = false;

    out->count = 0;
    for (size_t i = 0; i < in->count; i++) {
        if (mg_char_class_of(in->at[i]) == MG_CHAR_SPACE) {
            gap = true;
            continue;
        }
        if (gap && out->count) MG_TRY(mg_chars_add(out, &space, 1));
        gap = false;
        int n = mg_char_lower(in->at[i], lower);
        MG_TRY(mg_chars_add(out, lower, (size_t)n));
    }
    return MG_OK;
}

mg_status mg_text_clean(const char *text, size_t bytes, mg_chars *out)
{
    mg_chars a = {0}, line = {0}, other = {0};
    mg_status st;

    out->count = 0;
    st = decode(text, bytes, &a);
    if (!st) st = repair(out, &a, &line, &other);
    if (!st) st = unescape(&a, out);
    if (!st) st = unescape(out, &a);
    if (!st) st = fold(&a, out);
    if (!st) swap(&a, out);
    mg_free(a.at);
    mg_free(line.at);
    mg_free(other.at);
    return st;
}
