// A model into a weight file: .safetensors, .pth (.pt, .bin) or a medgraft checkpoint (.h5), by the ending
// of the name.
#ifndef MG_MODELS_WEIGHTS_SAVE_H
#define MG_MODELS_WEIGHTS_SAVE_H

#include "models/params.h"
#include "models/weights.h"

// Can a file of this name be written? MG_ERR_CONFIG names the endings.
mg_status mg_weights_check_name(const char *path);

// Write the tensors i of the table with wanted[i] (NULL: all), as type[i] (NULL: F32; F16 and BF16 are
// rounded; checkpoints are F32 whatever it says). `notes`: object of texts, or NULL; .pth has no place for them.
mg_status mg_params_save(const char *path, const mg_params *p, const bool *wanted,
                         const mg_tensor_type *type, const mg_json *notes);

// Any list of tensors (models/weights.h) by the ending of the name; checkpoints take F32 only.
mg_status mg_weights_write(const char *path, const mg_weights_source *what);

// What goes with a model's weights: kind, config (NULL: not known), the program's version, and for SAM
// how pictures become its input. NULL without memory; mg_json_free.
mg_json *mg_model_notes(const mg_params *p, const char *kind, const char *config);

// Notes of a file that holds only the tensors with part[i]: which, and the hash of the frozen rest, so
// that it is loaded onto that base only.
mg_status mg_notes_of_part(mg_json *notes, const mg_params *p, const bool *part);

#endif
