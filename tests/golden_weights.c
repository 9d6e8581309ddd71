// Golden files of weights: folders with a list of what must be read and what refused
// (tests/weight_cases.h).
#include "tests/golden.h"
#include "tests/weight_cases.h"

void golden_kind_weight_files(golden *g)
{
    weight_cases r = {0};

    golden_exact(g, weight_cases_run(golden_path(g), &r), "%s", mg_err_message());
    golden_exact(g, !r.failed && r.read + r.refused > 0, "%d of %d files failed", r.failed,
                 r.read + r.refused);
    golden_note(g, "slowest_s", r.slowest_s, 1);
    golden_note(g, "most_mb", r.most_mb, 64);
    mg_err_clear();
}
