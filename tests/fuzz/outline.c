// Fuzz target of outlines: any bytes as their JSON text, whole or cut off; what can be read is filled into a mask.
#include "datasets/outline.h"
#include "tests/fuzz/fuzz.h"

enum { HEIGHT = 19, WIDTH = 31 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = malloc(bytes + 1);
    mg_outlines outlines = {0};
    uint8_t mask[HEIGHT * WIDTH];

    if (!text) abort();
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    fuzz_begin();
    if (mg_outlines_add(text, "fuzz", &outlines) == MG_OK) {
        int points = 0;
        for (int r = 0; r < outlines.regions; r++) {
            if (outlines.end[r] < points + 3 || outlines.end[r] > MG_OUTLINE_POINTS) abort();
            points = outlines.end[r];
        }
        if (mg_outlines_fill(&outlines, HEIGHT, WIDTH, mask)) abort();
    }
    mg_outlines_free(&outlines);
    fuzz_end();
    free(text);
    return 0;
}
