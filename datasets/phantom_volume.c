// Volumes of phantoms; see phantom_volume.h.
#include "datasets/phantom_volume.h"

#include <math.h>
#include <string.h>

#include "runtime/mem.h"

void mg_phantom_head(const mg_phantom_frame *f, int depth, int height, int width,
                     mg_nifti_head *out)
{
    const int ours[3] = {width, height, depth};
    const double c = cos(f->tilt), s = sin(f->tilt);
    const double turn[9] = {1, 0, 0, 0, c, -s, 0, s, c};
    double m[12];
    int size[3];

    for (int r = 0; r < 3; r++) m[4 * r + 3] = f->origin[r];
    for (int axis = 0; axis < 3; axis++) {
        char letter = f->axes[axis];
        int a = strchr("RL", letter) ? 0 : strchr("AP", letter) ? 1 : 2;
        bool back = strchr("LPI", letter);
        size[axis] = ours[a];
        for (int r = 0; r < 3; r++) {
            double step = turn[3 * r + a] * f->spacing[a];
            m[4 * r + axis] = back ? -step : step;
            if (back) m[4 * r + 3] += step * (ours[a] - 1);
        }
    }
    mg_nifti_make_head(size, m, out);
}

static void convert(const int16_t *values, int64_t cells, mg_dtype type, void *out)
{
    for (int64_t i = 0; i < cells; i++) switch (type) {
        case MG_U8:
            ((uint8_t *)out)[i] = (uint8_t)values[i];
            break;
        case MG_I32:
            ((int32_t *)out)[i] = values[i];
            break;
        case MG_F32:
            ((float *)out)[i] = values[i];
            break;
        case MG_F64:
            ((double *)out)[i] = values[i];
            break;
        default:
            ((int16_t *)out)[i] = values[i];
        }
}

mg_status mg_phantom_volume(const mg_phantom_order *order, const char *name,
                            const mg_nifti_head *head, mg_dtype type, const int16_t *values,
                            double share)
{
    int64_t cells = (int64_t)head->depth * head->height * head->width;
    void *out = mg_alloc((size_t)cells * mg_dtype_size(type)), *file = NULL;
    size_t bytes = 0;

    MG_CHECK(out, MG_ERR_MEMORY, "no memory for the volume '%s'", name);
    convert(values, cells, type, out);
    mg_status st = mg_nifti_encode(head, type, out, mg_path_has_ext(name, ".gz"), &file, &bytes);
    mg_free(out);
    if (!st) st = mg_phantom_file(order, name, file, (size_t)(share * (double)bytes));
    mg_free(file);
    return st;
}

mg_status mg_phantom_case_create(int depth, int height, int width, mg_phantom_case *out)
{
    *out = (mg_phantom_case){.cells = (int64_t)depth * height * width};
    size_t cells = (size_t)out->cells;
    mg_status st = mg_solid_create(depth, height, width, &out->solid);
    out->real = mg_alloc(cells * sizeof *out->real);
    out->work = mg_alloc((size_t)height * (size_t)width * sizeof *out->work);
    out->values = mg_alloc(cells * sizeof *out->values);
    out->label = mg_alloc(cells * sizeof *out->label);
    if (!st && !(out->real && out->work && out->values && out->label))
        st = MG_FAIL(MG_ERR_MEMORY, "no memory to draw %zu cells", cells);
    if (st) mg_phantom_case_free(out);
    return st;
}

void mg_phantom_case_free(mg_phantom_case *c)
{
    mg_solid_free(&c->solid);
    mg_free(c->real);
    mg_free(c->work);
    mg_free(c->values);
    mg_free(c->label);
    *c = (mg_phantom_case){0};
}

void mg_phantom_round(mg_phantom_case *c, double low)
{
    for (int64_t i = 0; i < c->cells; i++)
        c->values[i] = (int16_t)fmin(fmax(floor(c->real[i] + .5), low), 32767);
}
