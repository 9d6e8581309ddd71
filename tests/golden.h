// Golden files: reference numbers in HDF5, found by their `kind` attribute (tests/golden/README.md), and
// cases in JSON, known by their members.
// tests/golden_main.c walks a folder and calls the function of each kind; each kind's function reads
// every size from the file, computes, and reports its worst deviation per quantity.
#ifndef MG_TESTS_GOLDEN_H
#define MG_TESTS_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/err.h"
#include "runtime/h5.h"
#include "runtime/json.h"

typedef struct golden golden;

const mg_h5 *golden_file(const golden *g);
const mg_json *golden_json(const golden *g); // of a JSON file, else NULL
const char *golden_path(const golden *g);

// Load an array; memory lives until the file is done. Missing arrays abort the file (fail).
float *golden_f32(golden *g, const char *name, mg_h5_info *info);
void *golden_load(golden *g, const char *name, mg_dtype type, mg_h5_info *info);
int64_t golden_int(golden *g, const char *object, const char *attr);
double golden_real(golden *g, const char *object, const char *attr);
bool golden_has(const golden *g, const char *name);
// Names directly below a group (groups end with '/'), memory as above.
char **golden_list(golden *g, const char *group, int *count);
// printf into memory that lives as long as the file.
char *golden_name(golden *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *golden_alloc(golden *g, size_t bytes); // zeroed, lives as long as the file

// Measures. Each call notes the worst value seen under `quantity` ("forward", "grads", "train", ...);
// the line printed for the file shows them, and the file fails when one is above its limit (or NaN).
void golden_note(golden *g, const char *quantity, double deviation, double limit);
// What the file needs is not there: end here, it counts neither as passed nor as failed.
_Noreturn void golden_skip(golden *g, const char *why);
// A fact that must hold exactly; `what` is printed when it does not.
void golden_exact(golden *g, bool holds, const char *what, ...)
    __attribute__((format(printf, 3, 4)));
// Relative L2: ||a - b|| / (||b|| + floor).
double golden_l2(const float *a, const float *b, size_t n, double floor_norm);
double golden_norm(const float *a, size_t n);
// max |a - b| / max |b|
double golden_max(const float *a, const float *b, size_t n);

// One function per kind, in tests/golden_<topic>.c; a kind whose function is not linked is skipped.
// clang-format off
#define GOLDEN_KINDS(X) \
    X(adamw) X(bpe) X(clicks) X(clip_text) X(components) X(edt) X(emix) X(emix_ranks) \
    X(losses) X(lr_schedule) X(mae) X(metrics) X(msa) X(philox) X(relpos_resize) \
    X(sam_decoder) X(sam_encoder) X(sam_preprocess) X(shed) X(sincos) X(weight_files) \
    X(weights_resize)
// clang-format on
#define GOLDEN_DECLARE(kind) void golden_kind_##kind(golden *g) __attribute__((weak));
GOLDEN_KINDS(GOLDEN_DECLARE)

#endif
