// Simulated clicks of evaluation, a function of the masks alone (prompts-and-metrics.md section 4),
// and the corrective clicks of training that follow the same rules (5.2).
// A click is a cell of the grid of the masks; "first" means smallest linear index (z, y, x).
#ifndef MG_FINETUNE_CLICKS_H
#define MG_FINETUNE_CLICKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/err.h"
#include "runtime/rng.h"

typedef struct {
    int x, y, z;
    int label; // 1 target, 0 background, -1 no click (then x = y = z = -1)
} mg_click;

// The masks of one target: [depth, height, width], zero or not. Pictures have depth 1.
typedef struct {
    int depth, height, width;
    const uint8_t *gt, *pred, *ignore; // not owned; pred and ignore may be NULL: all zero
} mg_target;

// Work space of one thread for grids up to a size; nothing below allocates. The fields are for
// clicks.c and prompts.c alone.
typedef struct {
    size_t cells;        // of one slice
    size_t volume_cells; // of the whole grid, 0 unless made for mg_click_volume
    int threads;
    uint8_t *mask;        // [cells]
    int32_t *d2[2];       // [cells] squared distances inside FN and FP
    int32_t *labels[2];   // [cells] components of FN and FP; also lists of candidates
    int32_t *parent;      // [cells + 1]
    int64_t *size;        // [cells]
    int64_t *first;       // [cells]
    void *lines;          // of the transforms
    uint8_t *volume_mask; // [volume_cells]
    double *volume_d2;    // [volume_cells]
} mg_clicker;

// Make one for grids of up to these sizes. `volume`: also for mg_click_volume, which then uses
// `threads` threads (its clicks do not depend on their number). MG_ERR_MEMORY.
mg_status mg_clicker_create(int depth, int height, int width, bool volume, int threads,
                            mg_clicker **out);
void mg_clicker_destroy(mg_clicker **clicker);

// The next click of one slice of the target. `used` are the clicks already made on this target, on
// any slice: their cells are not clicked again.
//   edt:       deepest cell of FN or FP, whichever is deeper; a tie is a negative click (4.1)
//   component: deepest cell of the largest component of FN or FP that has a cell left (4.2)
mg_click mg_click_edt(mg_clicker *c, const mg_target *t, int z, const mg_click *used, int count);
mg_click mg_click_component(mg_clicker *c, const mg_target *t, int z, const mg_click *used,
                            int count);

// One click for a whole stack: that of the slice whose click by `edt` lies deepest; on ties
// negative ones first, then the smaller z (4.3). For depth 1 the same as mg_click_edt.
mg_click mg_click_stack(mg_clicker *c, const mg_target *t, const mg_click *used, int count);

// The same rule as `edt` with distances in three dimensions and spacing (z, y, x) in mm (4.3).
mg_click mg_click_volume(mg_clicker *c, const mg_target *t, const double spacing[3],
                         const mg_click *used, int count);

typedef enum { MG_CLICK_UNIFORM, MG_CLICK_INNER, MG_CLICK_CENTRE } mg_click_mode;

// A corrective click of training (5.2) on one slice. Takes one word of `draw`, none for
// MG_CLICK_CENTRE or where there is nothing to click.
mg_click mg_click_corrective(mg_clicker *c, const mg_target *t, int z, mg_click_mode mode,
                             mg_cursor *draw, const mg_click *used, int count);

#endif
