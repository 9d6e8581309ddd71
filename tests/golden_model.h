// What the golden tests of whole models share: parameters by name, gradients against a group.
#ifndef MG_TESTS_GOLDEN_MODEL_H
#define MG_TESTS_GOLDEN_MODEL_H

#include "models/params.h"
#include "models/vit.h"
#include "tests/golden.h"

// Up to `room` integers of an attribute; returns how many there are. Fewer than none is a failure.
int golden_ints(golden *g, const char *object, const char *attr, int64_t *value, int room);

// Read every tensor of the table from <group><name>.
void golden_read_params(golden *g, mg_params *p, const char *group);

// Allocate the table (all of it trained) and read every tensor from <group><name>.
void golden_params(golden *g, mg_params *p, const char *group);

// Compare every gradient of <group> (relative L2 with the floor of tests/golden/README.md, limit
// 1e-4) with the one of that name; `extra` (NULL: none) names one that is no parameter. Every
// trained tensor must be in the group.
void golden_grads(golden *g, const mg_params *p, float *grads, const char *group, const char *extra,
                  const float *extra_grad);

// SAM's image encoder from the root attributes, without adapters (tests/golden_encoder.c).
mg_vit_config golden_vit_config(golden *g);

#endif
