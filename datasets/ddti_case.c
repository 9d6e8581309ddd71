// A case file of DDTI; see ddti_case.h.
#include "datasets/ddti_case.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "datasets/xml.h"
#include "runtime/mem.h"

static const char *const fact[] = {"age",          "sex",      "composition",
                                   "echogenicity", "margins",  "calcifications",
                                   "reportbacaf",  "reporteco"};
enum { FACTS = sizeof fact / sizeof *fact, FACT_TEXT = 48 };

static char *child_text(const mg_xml_element *parent, const char *name)
{
    return mg_xml_text(mg_xml_child(parent, name));
}

// Fields that are filled in, each up to FACT_TEXT bytes, in one line.
static mg_status read_facts(const mg_xml_element *root, const char *name, mg_ddti_case *out)
{
    char all[FACTS * (FACT_TEXT + 24)] = "";
    size_t used = 0;

    for (int i = 0; i < FACTS; i++) {
        char *text = child_text(root, fact[i]);
        MG_CHECK(text, MG_ERR_MEMORY, "no memory for case file '%s'", name);
        for (char *c = text; *c; c++)
            if (iscntrl((unsigned char)*c)) *c = ' ';
        if (*text)
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%s %.*s", used ? ", " : "",
                                     fact[i], FACT_TEXT, text);
        mg_free(text);
    }
    out->facts = mg_strdup(all);
    MG_CHECK(out->facts, MG_ERR_MEMORY, "no memory for case file '%s'", name);
    return MG_OK;
}

static mg_status read_marks(const mg_xml_element *root, const char *name, mg_ddti_case *out)
{
    int count = 0;

    for (const mg_xml_element *m = mg_xml_child(root, "mark"); m; m = mg_xml_next(m, "mark"))
        count++;
    out->mark = mg_calloc((size_t)count + 1, sizeof *out->mark);
    MG_CHECK(out->mark, MG_ERR_MEMORY, "no memory for case file '%s'", name);
    for (const mg_xml_element *m = mg_xml_child(root, "mark"); m; m = mg_xml_next(m, "mark")) {
        mg_ddti_mark *mark = &out->mark[out->marks++];
        mark->image = child_text(m, "image");
        mark->outline = child_text(m, "svg");
        MG_CHECK(mark->image && mark->outline, MG_ERR_MEMORY, "no memory for case file '%s'", name);
    }
    return MG_OK;
}

mg_status mg_ddti_parse(const char *text, const char *name, mg_ddti_case *out)
{
    mg_xml *xml;

    *out = (mg_ddti_case){0};
    MG_TRY(mg_xml_parse(text, name, &xml));
    const mg_xml_element *root = mg_xml_root(xml);
    mg_status st = MG_OK;
    if (strcmp(mg_xml_name(root), "case") != 0)
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' begins with <%.40s>, expected <case>", name,
                     mg_xml_name(root));
    if (!st) {
        out->number = child_text(root, "number");
        out->tirads = child_text(root, "tirads");
        if (!out->number || !out->tirads)
            st = MG_FAIL(MG_ERR_MEMORY, "no memory for case file '%s'", name);
    }
    if (!st) st = read_facts(root, name, out);
    if (!st) st = read_marks(root, name, out);
    mg_xml_free(&xml);
    if (st) mg_ddti_free(out);
    return st;
}

void mg_ddti_free(mg_ddti_case *c)
{
    for (int i = 0; i < c->marks; i++) {
        mg_free(c->mark[i].image);
        mg_free(c->mark[i].outline);
    }
    mg_free(c->mark);
    mg_free(c->number);
    mg_free(c->tirads);
    mg_free(c->facts);
    *c = (mg_ddti_case){0};
}

mg_status mg_ddti_outlines(const mg_ddti_case *c, const char *image, const char *name,
                           mg_outlines *out)
{
    *out = (mg_outlines){0};
    for (int i = 0; i < c->marks; i++)
        if (!strcmp(c->mark[i].image, image) && *c->mark[i].outline)
            MG_TRY(mg_outlines_add(c->mark[i].outline, name, out));
    return MG_OK;
}
