// Fuzz target of DDTI's case files, the whole way: any bytes as XML, the outlines of its first marks as JSON, their
// polygons filled into a mask.
#include "datasets/ddti_case.h"
#include "tests/fuzz/fuzz.h"

enum { HEIGHT = 23, WIDTH = 37, MARKS = 6 }; // all marks of a picture are read for each one

static void look(const mg_outlines *outlines)
{
    uint8_t mask[HEIGHT * WIDTH];
    size_t inside = 0;

    if (mg_outlines_fill(outlines, HEIGHT, WIDTH, mask)) abort();
    for (size_t i = 0; i < sizeof mask; i++) {
        if (mask[i] > 1) abort();
        inside += mask[i];
    }
    if ((inside > 0) != (outlines->regions > 0)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = malloc(bytes + 1);
    mg_ddti_case c;

    if (!text) abort();
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    fuzz_begin();
    if (mg_ddti_parse(text, "fuzz", &c) == MG_OK) {
        for (int m = 0; m < c.marks && m < MARKS; m++) {
            mg_outlines outlines;
            if (mg_ddti_outlines(&c, c.mark[m].image, "fuzz", &outlines) == MG_OK) look(&outlines);
            mg_outlines_free(&outlines);
        }
        mg_ddti_free(&c);
    }
    fuzz_end();
    free(text);
    return 0;
}
