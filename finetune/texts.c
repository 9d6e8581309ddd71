// Reading and checking a corpus of texts; see texts.h.
#include "finetune/texts.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "models/unicode.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

enum { FILE_MOST = 64 << 20, NAME_MOST = 80, HELD_OUT = 5 };

// --- names of targets -------------------------------------------------------------------------------

// The first of each row is the usual one; the others are how data sets and people write it.
static const char *const known[][5] = {
    {"spleen"},
    {"right kidney"},
    {"left kidney"},
    {"gallbladder", "gall bladder"},
    {"esophagus", "oesophagus"},
    {"liver"},
    {"stomach"},
    {"aorta", "arota"},
    {"inferior vena cava", "postcava", "ivc"},
    {"portal and splenic veins", "portal vein and splenic vein", "veins"},
    {"pancreas"},
    {"right adrenal gland"},
    {"left adrenal gland"},
    {"duodenum"},
    {"bladder", "urinary bladder"},
    {"prostate/uterus", "prostate or uterus"},
    {"optic disc", "optic disk", "disc"},
    {"optic cup", "cup"},
    {"whole tumour", "whole tumor", "wt"},
    {"tumour core", "tumor core", "tc"},
    {"enhancing tumour", "enhancing tumor", "et"},
    {"oedema", "edema", "ed"},
    {"necrosis", "necrotic core", "ncr"},
    {"nodule", "thyroid nodule"},
    {"lesion", "skin lesion"},
    {"melanoma"},
    {"nevus", "naevus"},
};

// Lower case, '_' as a space, without spaces at the ends.
static void fold(char out[NAME_MOST], const char *name)
{
    size_t n = 0;

    while (*name == ' ') name++;
    for (; *name && n + 1 < NAME_MOST; name++)
        out[n++] = *name == '_' ? ' ' : (char)tolower((unsigned char)*name);
    while (n && out[n - 1] == ' ') n--;
    out[n] = 0;
}

const char *mg_target_name(const char *name)
{
    char folded[NAME_MOST];

    fold(folded, name);
    for (size_t t = 0; t < sizeof known / sizeof *known; t++)
        for (int i = 0; i < 5 && known[t][i]; i++)
            if (!strcmp(known[t][i], folded)) return known[t][0];
    return NULL;
}

bool mg_target_same(const char *a, const char *b)
{
    const char *usual = mg_target_name(a);
    char fold_a[NAME_MOST], fold_b[NAME_MOST];

    if (usual) return usual == mg_target_name(b);
    fold(fold_a, a);
    fold(fold_b, b);
    return !strcmp(fold_a, fold_b);
}

static int find_target(const mg_corpus *c, const char *name)
{
    int i = 0;
    while (i < c->targets && !mg_target_same(c->target[i], name)) i++;
    return i < c->targets ? i : -1;
}

// --- reading ----------------------------------------------------------------------------------------

// Where the reader stands, for messages.
typedef struct {
    const char *path;
    int line;
} place;

static mg_status check_utf8(const char *line, const place *at)
{
    size_t bytes = strlen(line);
    int32_t point;

    for (size_t i = 0; i < bytes;) {
        int n = mg_utf8_decode(line + i, bytes - i, &point);
        MG_CHECK(n, MG_ERR_FORMAT, "'%s' line %d: invalid UTF-8 at byte %zu", at->path, at->line,
                 i);
        i += (size_t)n;
    }
    return MG_OK;
}

static mg_status check_text(const char *text, const mg_corpus *c, const place *at)
{
    MG_TRY(check_utf8(text, at));
    MG_CHECK(text[strspn(text, " ")], MG_ERR_FORMAT, "'%s' line %d has no text", at->path,
             at->line);
    MG_CHECK(!strcasestr(text, "<|startoftext|>") && !strcasestr(text, "<|endoftext|>"),
             MG_ERR_FORMAT, "'%s' line %d: text contains a special token of CLIP", at->path,
             at->line);
    for (int i = 0; i < c->count; i++)
        MG_CHECK(strcasecmp(c->text[i].text, text), MG_ERR_FORMAT,
                 "'%s' line %d repeats the text of line %d", at->path, at->line, c->text[i].line);
    return MG_OK;
}

static mg_status add_target(mg_corpus *c, const char *name, const mg_list *own, const place *at,
                            int *index)
{
    const char *usual = mg_target_name(name);
    char folded[NAME_MOST];

    for (int i = 0; own && !usual && i < own->count; i++)
        if (mg_target_same(own->item[i], name)) usual = own->item[i];
    MG_CHECK(usual, MG_ERR_FORMAT, "'%s' line %d: unknown target '%s'", at->path, at->line, name);
    *index = find_target(c, usual);
    if (*index >= 0) return MG_OK;
    MG_CHECK(c->targets < MG_TEXT_TARGETS, MG_ERR_FORMAT, "'%s' line %d: more than %d targets",
             at->path, at->line, MG_TEXT_TARGETS);
    fold(folded, usual);
    *index = c->targets;
    c->target[c->targets] = mg_strdup(folded);
    MG_CHECK(c->target[c->targets], MG_ERR_MEMORY, "cannot allocate a name");
    c->targets++;
    return MG_OK;
}

// Comma-separated names; the text is cut up.
static mg_status read_targets(mg_corpus *c, char *names, const mg_list *own, const place *at,
                              uint64_t *bits)
{
    int index = 0;

    *bits = 0;
    for (char *rest = names, *name; (name = strsep(&rest, ","));) {
        name += strspn(name, " ");
        MG_CHECK(*name, MG_ERR_FORMAT, "'%s' line %d: name of a target is missing", at->path,
                 at->line);
        MG_TRY(add_target(c, name, own, at, &index));
        MG_CHECK(!(*bits >> index & 1), MG_ERR_FORMAT, "'%s' line %d names target '%s' twice",
                 at->path, at->line, c->target[index]);
        *bits |= 1ull << index;
    }
    return MG_OK;
}

static bool is_held_out(const mg_corpus *c, uint64_t targets)
{
    int before = 0;
    for (int i = 0; i < c->count; i++) before += c->text[i].targets == targets;
    return before % HELD_OUT == HELD_OUT - 1;
}

static mg_status add_line(mg_corpus *c, char *line, const mg_list *own, const place *at)
{
    char *tab = strchr(line, '\t');
    uint64_t targets;

    if (!line[0] || line[0] == '#') return MG_OK;
    MG_CHECK(tab && !strchr(tab + 1, '\t'), MG_ERR_FORMAT,
             "'%s' line %d is not a text, a tab and target names", at->path, at->line);
    *tab = 0;
    MG_TRY(check_text(line, c, at));
    MG_TRY(read_targets(c, tab + 1, own, at, &targets));
    if (c->count == c->room) {
        int room = c->room ? 2 * c->room : 256;
        mg_text *grown = mg_realloc(c->text, (size_t)room * sizeof *grown);
        MG_CHECK(grown, MG_ERR_MEMORY, "cannot allocate %d texts", room);
        c->text = grown;
        c->room = room;
    }
    char *copy = mg_strdup(line);
    MG_CHECK(copy, MG_ERR_MEMORY, "cannot allocate a text");
    c->text[c->count] = (mg_text){copy, targets, at->line, at->path, is_held_out(c, targets)};
    c->count++;
    return MG_OK;
}

// Add the records of a file.
static mg_status add_file(mg_corpus *c, const char *path, const mg_list *own)
{
    place at = {path, 0};
    char *data = NULL;
    size_t bytes;
    int before = c->count;

    MG_TRY(mg_read_file(path, FILE_MOST, &data, &bytes));
    mg_status st =
        strlen(data) == bytes ? MG_OK : MG_FAIL(MG_ERR_FORMAT, "'%s' contains a zero byte", path);
    for (char *rest = data, *line; !st && (line = strsep(&rest, "\n"));) {
        size_t n = strlen(line);
        if (n && line[n - 1] == '\r') line[n - 1] = 0;
        at.line++;
        st = add_line(c, line, own, &at);
    }
    if (!st && c->count == before) st = MG_FAIL(MG_ERR_FORMAT, "'%s' has no texts", path);
    mg_free(data);
    return st;
}

mg_status mg_corpus_read(const char *path, const mg_list *own, mg_corpus *out)
{
    *out = (mg_corpus){0};
    return add_file(out, path, own);
}

mg_status mg_corpus_read_all(const mg_list *paths, const mg_list *own, mg_corpus *out)
{
    *out = (mg_corpus){0};
    for (int i = 0; i < paths->count; i++) MG_TRY(add_file(out, paths->item[i], own));
    return MG_OK;
}

void mg_corpus_free(mg_corpus *c)
{
    for (int i = 0; i < c->count; i++) mg_free(c->text[i].text);
    for (int i = 0; i < c->targets; i++) mg_free(c->target[i]);
    mg_free(c->text);
    *c = (mg_corpus){0};
}

int mg_corpus_count(const mg_corpus *c, const char *name, bool alone)
{
    int t = find_target(c, name), count = 0;

    for (int i = 0; t >= 0 && i < c->count; i++)
        count += alone ? c->text[i].targets == 1ull << t : c->text[i].targets >> t & 1;
    return count;
}
