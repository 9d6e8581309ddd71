// Weights out of files into a model: by name, whatever program wrote them (models/weight_names.h);
// position tables are resized to the model's grid (text-and-weights.md f). What is missing, has no place
// or another shape is listed by name and refused unless the user lets it pass.
#ifndef MG_MODELS_WEIGHTS_LOAD_H
#define MG_MODELS_WEIGHTS_LOAD_H

#include "models/params.h"
#include "models/weight_names.h"
#include "models/weights.h"
#include "runtime/comm.h"
#include "runtime/config.h"
#include "runtime/fsys.h"

// What the user allows and wants.
typedef struct {
    bool allow_missing, allow_extra;
    char *positions; // bicubic, bilinear
    bool relpos_drop;
    const uint64_t *seed; // set by callers: initial values of what the file lacks; NULL: they stay
    bool exact;           // set by callers: the file is this very model, nothing may start fresh
    bool onto_base; // set by callers: the model has its base; the file must be a trained part of it
    bool keep_rest; // set by callers: hand-over onto a loaded model: patches and blocks, no tables
} mg_load_how;

// Rows of an option table for `member` (a mg_load_how) of structure `type` in a section ("model.").
// clang-format off
#define MG_LOAD_ROWS(section, type, member)                                                         \
    {section "allow_missing", MG_BOOL, offsetof(type, member.allow_missing), "false", 0, 0, "go on when a weight file lacks tensors X their initial values", NULL}, \
    {section "allow_extra", MG_BOOL, offsetof(type, member.allow_extra), "false", 0, 0, "go on when a weight file holds tensors that have no place in the model", NULL}, \
    {section "positions", MG_CHOICE, offsetof(type, member.positions), "bicubic", 0, 0, "how position tables are resized for another input size (most programs: bicubic; SAMed, SAM-Med2D: bilinear)", "bicubic|bilinear"}, \
    {section "relpos_drop", MG_BOOL, offsetof(type, member.relpos_drop), "false", 0, 0, "tables of relative positions for another input size start at zero, as in the released Medical SAM Adapter, instead of being resized", NULL}
// clang-format on

// --- a plan, then its execution; one rank -----------------------------------------------------------

typedef struct {
    int target;    // in the table
    int source[3]; // in the file, -1 where there is none
    mg_take_kind kind;
    int third;
    bool resized;
} mg_load_step;

typedef struct {
    mg_names from, to;
    mg_load_step *step;
    int steps, resized, fresh;          // fresh: not in the file, as expected
    int ignored;                        // in the file, without use, as expected
    bool part;                          // the file holds the trained part of a model only
    mg_texts missing, extra, misshaped; // names and what is wrong
} mg_load_plan;

mg_names mg_weights_names(const mg_weights *w);
mg_names mg_params_names(const mg_params *p);

// What to do for every tensor of the table. MG_ERR_FORMAT if nothing in the file fits it, MG_ERR_MEMORY.
// Release also after a failure.
mg_status mg_load_plan_make(const mg_weights *w, const mg_params *p, const mg_load_how *how,
                            mg_load_plan *plan);
// Print what is wrong, a line each; MG_ERR_FORMAT unless it is allowed.
mg_status mg_load_plan_check(const mg_load_plan *plan, const mg_weights *w, const mg_load_how *how);
// Values into p->data. MG_ERR_NUMERIC names a tensor with values that are not finite.
mg_status mg_load_plan_run(const mg_load_plan *plan, mg_weights *w, const mg_load_how *how,
                           mg_params *p);
void mg_load_plan_free(mg_load_plan *plan);
// All of that: plan, check, run, and one line that says what was done. A file that holds only the trained
// part of a model (note "part") must fit the frozen values that `p` has already, by their hash (note
// "base_xxh3"). Release *plan, also after a failure.
mg_status mg_weights_fill(mg_weights *w, const mg_load_how *how, mg_params *p, mg_load_plan *plan);

// --- all of it --------------------------------------------------------------------------------------

// Fill a model from a weight file: rank 0 reads, the others receive the values. Collective on `world`.
mg_status mg_weights_load(const mg_comm *world, const char *path, const mg_load_how *how,
                          mg_params *p);

#endif
