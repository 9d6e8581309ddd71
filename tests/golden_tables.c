// Golden kinds `relpos_resize` (README.md) and `sincos` (README-pretraining.md): tables, their
// resizing and its gradient, the relative-position lookup. Limits: tables 1e-6, gradients 1e-4.
#include <stdio.h>
#include <string.h>

#include "nn/nn.h"
#include "tests/golden.h"

static float *array(golden *g, const char *group, const char *name, mg_h5_info *info)
{
    return golden_f32(g, golden_name(g, "%s%s", group, name), info);
}

// A table of L rows is resized to those that nq, nk need, then looked up for every pair.
static void relative(golden *g, const char *group)
{
    mg_h5_info table_info, matrix_info;
    const float *table = array(g, group, "table", &table_info);
    const float *resized = array(g, group, "resized", NULL);
    const float *matrix = array(g, group, "matrix", &matrix_info);
    const float *R = array(g, group, "R", NULL), *want = array(g, group, "grad_table", NULL);
    int L = (int)table_info.dim[0], d = (int)table_info.dim[1];
    int nq = (int)matrix_info.dim[0], nk = (int)matrix_info.dim[1];
    int rows = 2 * (nq > nk ? nq : nk) - 1;
    float *got = golden_alloc(g, (size_t)rows * d * sizeof *got);
    float *dgot = golden_alloc(g, (size_t)rows * d * sizeof *got);
    float *dtable = golden_alloc(g, (size_t)L * d * sizeof *got);
    float *scratch = golden_alloc(g, mg_resize_scratch(L, 1, d, rows, 1) * sizeof *got);
    float *looked_up = golden_alloc(g, (size_t)matrix_info.count * sizeof *got);

    mg_resize_forward(got, table, L, 1, d, rows, 1, MG_RESIZE_LINEAR, scratch);
    golden_note(g, "resized", golden_max(got, resized, (size_t)rows * d), 1e-6);
    for (int i = 0; i < nq; i++)
        for (int j = 0; j < nk; j++) {
            size_t row = (size_t)mg_relpos_row(i, j, nq, nk) * d, at = ((size_t)i * nk + j) * d;
            memcpy(looked_up + at, got + row, (size_t)d * sizeof *got);
            for (int c = 0; c < d; c++) dgot[row + c] += R[at + c];
        }
    golden_note(g, "matrix", golden_max(looked_up, matrix, (size_t)matrix_info.count), 1e-6);
    mg_resize_backward(dtable, dgot, L, 1, d, rows, 1, MG_RESIZE_LINEAR, scratch);
    golden_note(g, "grads", golden_l2(dtable, want, (size_t)L * d, 0), 1e-4);
}

static void cubic(golden *g, const char *group)
{
    mg_h5_info from, to;
    const float *table = array(g, group, "table", &from), *R = array(g, group, "R", NULL);
    const float *resized = array(g, group, "resized", &to);
    const float *want = array(g, group, "grad_table", NULL);
    int Y = (int)from.dim[1], X = (int)from.dim[2], C = (int)from.dim[3];
    int Y2 = (int)to.dim[1], X2 = (int)to.dim[2];
    float *got = golden_alloc(g, (size_t)to.count * sizeof *got);
    float *dtable = golden_alloc(g, (size_t)from.count * sizeof *got);
    float *scratch = golden_alloc(g, mg_resize_scratch(Y, X, C, Y2, X2) * sizeof *got);

    mg_resize_forward(got, table, Y, X, C, Y2, X2, MG_RESIZE_CUBIC, scratch);
    golden_note(g, "resized", golden_max(got, resized, (size_t)to.count), 1e-6);
    mg_resize_backward(dtable, R, Y, X, C, Y2, X2, MG_RESIZE_CUBIC, scratch);
    golden_note(g, "grads", golden_l2(dtable, want, (size_t)from.count, 0), 1e-4);
}

void golden_kind_relpos_resize(golden *g)
{
    int count;
    char **names = golden_list(g, "rel", &count);
    for (int i = 0; i < count; i++) relative(g, golden_name(g, "rel/%s", names[i]));
    names = golden_list(g, "pos", &count);
    for (int i = 0; i < count; i++) cubic(g, golden_name(g, "pos/%s", names[i]));
}

static void resized_table(golden *g, const char *group)
{
    mg_h5_info from, to;
    const float *in = array(g, group, "in", &from), *out = array(g, group, "out", &to);
    int D = (int)from.dim[1], side = 1, side2 = (int)to.dim[0];
    while ((int64_t)side * side < from.dim[0]) side++;
    float *got = golden_alloc(g, (size_t)to.count * sizeof *got);
    float *scratch = golden_alloc(g, mg_resize_scratch(side, side, D, side2, side2) * sizeof *got);

    mg_resize_forward(got, in, side, side, D, side2, side2, MG_RESIZE_CUBIC, scratch);
    golden_note(g, "resized", golden_max(got, out, (size_t)to.count), 1e-6);
}

void golden_kind_sincos(golden *g)
{
    int count;
    char **names = golden_list(g, "/", &count);

    for (int i = 0; i < count; i++) {
        int D, side, cls;
        if (strncmp(names[i], "resize", 6) == 0) {
            resized_table(g, names[i]);
            continue;
        }
        golden_exact(g, sscanf(names[i], "D%d_g%d_cls%d", &D, &side, &cls) == 3,
                     "'%s' is not D<width>_g<grid>_cls<0|1>", names[i]);
        mg_h5_info info;
        const float *want = golden_f32(g, names[i], &info);
        float *got = golden_alloc(g, (size_t)info.count * sizeof *got);
        golden_exact(g, info.count == (int64_t)(side * side + cls) * D, "'%s' has %lld values",
                     names[i], (long long)info.count);
        mg_sincos_table(got, side, side, D, cls);
        golden_note(g, "table", golden_max(got, want, (size_t)info.count), 1e-6);
    }
}
