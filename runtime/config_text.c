// Texts made from the option tables: the echo of a run's settings, --help, docs/config.md.
#include "runtime/config_private.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/mem.h"

typedef void section_printer(FILE *out, const char *section);
typedef void option_printer(FILE *out, const config_tables *t, const mg_option *o,
                            const void *base);

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

// True if two tables say the same of a key.
static bool same_option(const mg_option *a, const mg_option *b)
{
    return strcmp(a->key, b->key) == 0 && a->type == b->type && a->min == b->min &&
           a->max == b->max && same_text(a->def, b->def) && same_text(a->help, b->help) &&
           same_text(a->choices, b->choices);
}

// The first option that says the same as `o`, which may be `o` itself.
static const mg_option *first_like(const config_tables *t, const mg_option *o)
{
    const mg_option *p;
    size_t i = 0;

    while ((p = config_option_at(t, i, NULL)) && !same_option(p, o)) i++;
    return p;
}

// Print section by section, each option once: `head` before a section, `line` for an option.
static void each_section(const config_tables *t, section_printer *head, option_printer *line,
                         FILE *out)
{
    const mg_option *o, *p;
    void *base;

    for (size_t i = 0; (o = config_option_at(t, i, NULL)); i++) {
        char section[KEY_BYTES];
        snprintf(section, sizeof section, "%.*s", (int)strcspn(o->key, "."), o->key);
        size_t j = 0;
        while ((p = config_option_at(t, j, NULL)) && !config_in_section(p->key, section)) j++;
        if (j < i) continue; // this section was written with its first key
        head(out, section);
        for (; (p = config_option_at(t, j, &base)); j++)
            if (config_in_section(p->key, section) && first_like(t, p) == p) line(out, t, p, base);
    }
}

static void echo_head(FILE *out, const char *section)
{
    fprintf(out, "%s:\n", section);
}

static void print_real(FILE *out, double value)
{
    char text[32];

    if (isfinite(value)) mg_real_text(value, text);
    fputs(isfinite(value) ? text : value < 0 ? "-.inf" : ".inf", out);
}

static void print_text(FILE *out, const char *text)
{
    char *quoted = mg_yaml_quote(text);
    fputs(quoted ? quoted : "", out);
    mg_free(quoted);
}

static void echo_line(FILE *out, const config_tables *t, const mg_option *o, const void *base)
{
    const void *spot = (const char *)base + o->at;

    (void)t;
    fprintf(out, "  %s: ", config_last_part(o->key));
    if (o->type == MG_INT) fprintf(out, "%" PRId64, *(const int64_t *)spot);
    if (o->type == MG_REAL) print_real(out, *(const double *)spot);
    if (o->type == MG_BOOL) fputs(*(const bool *)spot ? "true" : "false", out);
    if (o->type == MG_TEXT || o->type == MG_CHOICE) print_text(out, *(char *const *)spot);
    if (o->type == MG_LIST) {
        const mg_list *list = spot;
        fputc('[', out);
        for (int i = 0; i < list->count; i++) {
            if (i > 0) fputs(", ", out);
            print_text(out, list->item[i]);
        }
        fputc(']', out);
    }
    if (o->type == MG_TREE) {
        mg_json *tree = *(mg_json *const *)spot;
        char *text = tree ? mg_json_dump(tree, false) : mg_strdup("null");
        fputs(text ? text : "", out);
        mg_free(text);
    }
    fputc('\n', out);
}

static void print_allowed(FILE *out, const mg_option *o)
{
    static const char *const kinds[] = {"whole number", "number", "true or false", "text",
                                        "choice",       "list",   "YAML"};

    if (o->type == MG_CHOICE) {
        for (const char *p = o->choices; *p; p++) {
            if (*p == '|')
                fputs(", ", out);
            else
                fputc(*p, out);
        }
        return;
    }
    fputs(kinds[o->type], out);
    if ((o->type == MG_INT || o->type == MG_REAL) && !(o->min == 0 && o->max == 0)) {
        fprintf(out, ", %.10g to %.10g", o->min, o->max);
    }
}

static void help_head(FILE *out, const char *section)
{
    fprintf(out, "\n%s\n", section);
}

// What the default becomes with the presets of its table: ", linear with train.preset=release".
static void print_presets(FILE *out, const config_tables *t, const mg_option *o, const char *mark)
{
    for (int g = 0; g < t->count; g++) {
        const config_tables one = {t->groups + g, 1, NULL, NULL};
        const mg_option *row, *own = config_option_at(&one, 0, NULL);
        for (size_t i = 0; own && own != o; i++) own = config_option_at(&one, i, NULL);
        for (size_t i = 0; own && (row = config_preset_at(&one, i)); i++)
            if (strcmp(row->key, o->key) == 0)
                fprintf(out, ", %s%s%s with %s", mark, row->def, mark, row->choices);
        if (own) return;
    }
}

static void help_line(FILE *out, const config_tables *t, const mg_option *o, const void *base)
{
    (void)base;
    fprintf(out, "  --%-26s %s\n%31s(", o->key, o->help, "");
    print_allowed(out, o);
    if (o->def && *o->def) fprintf(out, "; %s unless set", o->def);
    print_presets(out, t, o, "");
    fputs(")\n", out);
}

void mg_config_help(const mg_option_group *groups, int count)
{
    config_tables t = {groups, count, NULL, NULL};
    each_section(&t, help_head, help_line, stdout);
}

static void markdown_head(FILE *out, const char *section)
{
    fprintf(out, "\n## %s\n\n| key | default | allowed | meaning |\n|---|---|---|---|\n", section);
}

// Names of the commands whose tables say this of a key, where others say something else.
static void print_owners(FILE *out, const config_tables *t, const mg_option *o)
{
    const mg_option *p;
    bool differ = false;
    int named = 0;

    for (size_t i = 0; (p = config_option_at(t, i, NULL)); i++)
        differ = differ || (strcmp(p->key, o->key) == 0 && !same_option(p, o));
    for (int g = 0; differ && t->owners && g < t->count; g++) {
        config_tables one = {t->groups + g, 1, NULL, NULL};
        if (first_like(&one, o)) fprintf(out, "%s%s", named++ ? ", " : " in ", t->owners[g]);
    }
}

static void markdown_line(FILE *out, const config_tables *t, const mg_option *o, const void *base)
{
    const char *mark = o->def && *o->def ? "`" : "";

    (void)base;
    fprintf(out, "| `%s`", o->key);
    print_owners(out, t, o);
    fprintf(out, " | %s%s%s", mark, o->def ? o->def : "", mark);
    print_presets(out, t, o, "`");
    fputs(" | ", out);
    print_allowed(out, o);
    fputs(" | ", out);
    for (const char *p = o->help; *p; p++) {
        if (*p == '|') fputc('\\', out);
        fputc(*p, out);
    }
    fputs(" |\n", out);
}

// What `head` and `line` print for the tables, as one text.
static char *to_text(const config_tables *t, section_printer *head, option_printer *line)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    if (!out) return NULL;
    each_section(t, head, line, out);
    char *copy = fclose(out) == 0 ? mg_strdup(text) : NULL;
    free(text);
    return copy;
}

char *mg_config_echo(const mg_option_group *groups, int count)
{
    config_tables t = {groups, count, NULL, NULL};
    return to_text(&t, echo_head, echo_line);
}

char *mg_config_markdown(const mg_option_group *groups, int count, const char *const *owners)
{
    config_tables t = {groups, count, owners, NULL};
    return to_text(&t, markdown_head, markdown_line);
}

static void section_name(FILE *out, const char *section)
{
    fprintf(out, "%s`%s`", ftell(out) > 0 ? ", " : "", section);
}

static void no_line(FILE *out, const config_tables *t, const mg_option *o, const void *base)
{
    (void)out, (void)t, (void)o, (void)base;
}

char *mg_config_list_sections(const mg_option_group *groups, int count)
{
    config_tables t = {groups, count, NULL, NULL};
    return to_text(&t, section_name, no_line);
}
