// A case file of DDTI: one patient, what was seen, and a mark for each outlined picture (datasets.md section 11).
#ifndef MG_DATASETS_DDTI_CASE_H
#define MG_DATASETS_DDTI_CASE_H

#include "datasets/outline.h"

typedef struct {
    char *image;   // number of the picture: "1" for N_1.jpg
    char *outline; // JSON text of its regions, "" if there is none
} mg_ddti_mark;

typedef struct {
    char *number, *tirads; // "" where the file has none, as all texts
    char *facts;        // "age 59, sex F, composition solid, ..." of the fields that are filled in
    mg_ddti_mark *mark; // [marks]
    int marks;
} mg_ddti_case;

// Parse a case file; `name` goes into messages. MG_ERR_FORMAT: not XML, or its root is no <case>.
mg_status mg_ddti_parse(const char *text, const char *name, mg_ddti_case *out);
void mg_ddti_free(mg_ddti_case *c);

// All regions of picture `image` ("1"), over all its marks; none if nothing is outlined. Released with
// mg_outlines_free, also after a failure.
mg_status mg_ddti_outlines(const mg_ddti_case *c, const char *image, const char *name,
                           mg_outlines *out);

#endif
