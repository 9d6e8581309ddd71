// Axes, matrices, and prompts on their way to the model's grid.
#include "finetune/predict_space.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

mg_predict_space mg_predict_picture_space(int height, int width)
{
    mg_predict_space s = {.dims = 2,
                          .matrix = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0},
                          .size = {width, height, 1},
                          .step = {1, 1, 1},
                          .cells = {width, height, 1}};
    snprintf(s.extent, sizeof s.extent, "the picture, which is %d wide and %d high", width, height);
    return s;
}

// Inverse of an affine matrix, rows; false if it is singular.
static bool invert(const double m[12], double out[12])
{
    double cofactor[9], det = 0;

    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++) {
            int r1 = (r + 1) % 3, r2 = (r + 2) % 3, c1 = (c + 1) % 3, c2 = (c + 2) % 3;
            cofactor[3 * r + c] = m[4 * r1 + c1] * m[4 * r2 + c2] - m[4 * r1 + c2] * m[4 * r2 + c1];
        }
    for (int c = 0; c < 3; c++) det += m[c] * cofactor[c];
    if (det == 0 || !isfinite(det)) return false;
    for (int r = 0; r < 3; r++) {
        for (int c = 0; c < 3; c++) out[4 * r + c] = cofactor[3 * c + r] / det;
        out[4 * r + 3] = -(out[4 * r] * m[3] + out[4 * r + 1] * m[7] + out[4 * r + 2] * m[11]);
    }
    return true;
}

// Cell a of our grid lies along file axis axis[a], backwards if flip[a].
static void turn_axes(const mg_nifti_head *h, double out[12])
{
    memset(out, 0, 12 * sizeof *out);
    for (int a = 0; a < 3; a++) {
        out[4 * a + h->axis[a]] = h->flip[a] ? -1 : 1;
        out[4 * a + 3] = h->flip[a] ? h->size[h->axis[a]] - 1 : 0;
    }
}

mg_status mg_predict_volume_space(const mg_volume_file *file, bool mm, mg_predict_space *out)
{
    const mg_nifti_head *h = &file->head;
    const int size[3] = {h->width, h->height, h->depth};
    const int cells[3] = {file->width, file->height, file->depth};
    const double *m = h->affine;

    *out = (mg_predict_space){.dims = 3};
    for (int a = 0; a < 3; a++) {
        out->size[a] = size[a];
        out->cells[a] = cells[a];
        out->start[a] = file->grid[2 - a][0];
        out->step[a] = file->grid[2 - a][1];
    }
    if (!mm) {
        turn_axes(h, out->matrix);
        snprintf(out->extent, sizeof out->extent,
                 "the volume, which has %d x %d x %d voxels along its axes", h->size[0], h->size[1],
                 h->size[2]);
        return MG_OK;
    }
    MG_CHECK(invert(m, out->matrix), MG_ERR_FORMAT,
             "the matrix of the volume is singular: give coordinates as voxels");
    snprintf(out->extent, sizeof out->extent,
             "the volume, which lies around (%.1f, %.1f, %.1f) mm (RAS)",
             m[3] + (m[0] * size[0] + m[1] * size[1] + m[2] * size[2]) / 2,
             m[7] + (m[4] * size[0] + m[5] * size[1] + m[6] * size[2]) / 2,
             m[11] + (m[8] * size[0] + m[9] * size[1] + m[10] * size[2]) / 2);
    return MG_OK;
}

// --- placing ----------------------------------------------------------------------------------------

// "(3, 4)", "(3, 4, 5)".
static const char *print_place(const double *v, int dims, char text[80])
{
    if (dims == 2)
        snprintf(text, 80, "(%g, %g)", v[0], v[1]);
    else
        snprintf(text, 80, "(%g, %g, %g)", v[0], v[1], v[2]);
    return text;
}

// Cells of the original grid; false if that is outside of it.
static bool to_grid(const mg_predict_space *s, const double given[3], double cell[3])
{
    bool inside = true;

    for (int a = 0; a < 3; a++) {
        const double *row = s->matrix + 4 * a;
        cell[a] = row[3];
        for (int k = 0; k < s->dims; k++) cell[a] += row[k] * given[k];
        inside = inside && cell[a] >= -0.5 && cell[a] < s->size[a] - 0.5;
    }
    return inside;
}

// Cell of the model's grid, inside of it; what was cut off lies at its border.
static double to_model(const mg_predict_space *s, double cell, int a)
{
    return fmin(fmax((cell - s->start[a]) / s->step[a], 0), s->cells[a] - 1);
}

static mg_status place_click(const mg_predict_space *s, const mg_predict_target *t,
                             const mg_given_click *given, mg_click *out)
{
    double cell[3];
    char text[80];

    MG_CHECK(to_grid(s, given->at, cell), MG_ERR_CONFIG, "click %s of target '%s' lies outside %s",
             print_place(given->at, s->dims, text), t->name, s->extent);
    for (int a = 0; a < 3; a++) cell[a] = floor(to_model(s, cell[a], a) + 0.5);
    *out = (mg_click){(int)cell[0], (int)cell[1], (int)cell[2], given->label};
    return MG_OK;
}

static mg_status place_box(const mg_predict_space *s, const mg_predict_target *t,
                           const mg_given_box *given, mg_placed_box *out)
{
    double cell[2][3];
    char low[80], high[80];

    for (int k = 0; k < 2; k++)
        MG_CHECK(to_grid(s, given->corner[k], cell[k]), MG_ERR_CONFIG,
                 "box %s to %s of target '%s' lies outside %s",
                 print_place(given->corner[0], s->dims, low),
                 print_place(given->corner[1], s->dims, high), t->name, s->extent);
    for (int a = 0; a < 3; a++) { // axes may run the other way
        double from = to_model(s, fmin(cell[0][a], cell[1][a]), a);
        double to = to_model(s, fmax(cell[0][a], cell[1][a]), a);
        if (a < 2) {
            out->box[a] = from;
            out->box[a + 2] = to;
        } else {
            out->first = (int)floor(from + 0.5);
            out->last = (int)floor(to + 0.5);
        }
    }
    return MG_OK;
}

static mg_status check_target(const mg_predict_target *t)
{
    bool positive = false;

    MG_CHECK(t->clicks || t->boxes || t->text, MG_ERR_CONFIG,
             "target '%s' has neither a click nor a box nor a text", t->name);
    for (int k = 0; k < t->clicks; k++) positive = positive || t->given_click[k].label;
    MG_CHECK(positive || t->boxes || t->text, MG_ERR_CONFIG,
             "target '%s' has only clicks with label 0 (background), expected one with label 1 on "
             "the target",
             t->name);
    return MG_OK;
}

mg_status mg_predict_place(mg_predict_prompts *p, const mg_predict_space *space)
{
    for (int i = 0; i < p->count; i++) {
        mg_predict_target *t = &p->target[i];
        MG_TRY(check_target(t));
        for (int k = 0; k < t->clicks; k++)
            MG_TRY(place_click(space, t, &t->given_click[k], &t->click[k]));
        for (int k = 0; k < t->boxes; k++)
            MG_TRY(place_box(space, t, &t->given_box[k], &t->box[k]));
    }
    return MG_OK;
}
