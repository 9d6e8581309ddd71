// One step loop for every task: fetch a batch, run its leaves forward and backward, add gradients in
// the fixed tree (design.md section 5), sum over ranks beside the backward pass, clip, AdamW, log,
// save. It knows neither shards nor objectives: the task brings those.
#ifndef MG_MODELS_TRAINER_H
#define MG_MODELS_TRAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "models/params.h"
#include "models/stack.h"
#include "runtime/comm.h"
#include "runtime/config.h"
#include "runtime/json.h"
#include "runtime/run.h"

// Settings of sections train. and optimizer. that the loop itself reads.
typedef struct {
    int64_t seed, batch, leaves, epochs, steps, save_every, keep, log_every;
    char *reduce, *precision;
    char *rate; // cosine, constant
    double lr, min_lr, warmup;
    bool scale_lr;
    double beta1, beta2, eps, decay, clip;
    bool shard;
} mg_train_config;

// Rows of an option table for `member` (a mg_train_config) of structure `type`; stages differ in
// their defaults, which are given as texts.
// clang-format off
#define MG_TRAIN_ROWS(type, member, BATCH, EPOCHS, LR, SCALE_LR, BETA2, DECAY, CLIP)                \
    {"train.seed", MG_INT, offsetof(type, member.seed), "0", 0, 9e15, "seed of every random draw", NULL}, \
    {"train.batch", MG_INT, offsetof(type, member.batch), BATCH, 1, 1 << 20, "samples per step, over all ranks (M)", NULL}, \
    {"train.leaves", MG_INT, offsetof(type, member.leaves), "8", 1, 1 << 16, "micro-batches of a step: a power of two that divides train.batch; the number of ranks must divide it", NULL}, \
    {"train.reduce", MG_CHOICE, offsetof(type, member.reduce), "exact", 0, 0, "exact: the same bits for any number of ranks; fast: the MPI library's sum, any number of ranks that divides train.batch", "exact|fast"}, \
    {"train.precision", MG_CHOICE, offsetof(type, member.precision), "float32", 0, 0, "bf16: products of encoder, MAE decoder and adapters take operands in bfloat16 and sum in float32 (processors with AMX or AVX512-BF16); weights, norms, softmax, losses stay float32", "float32|bf16"}, \
    {"train.epochs", MG_INT, offsetof(type, member.epochs), EPOCHS, 1, 1e6, "passes over the data", NULL}, \
    {"train.steps", MG_INT, offsetof(type, member.steps), "0", 0, 1e12, "length in steps instead of epochs (0: use train.epochs)", NULL}, \
    {"train.lr", MG_REAL, offsetof(type, member.lr), LR, 0, 10, "peak learning rate", NULL},         \
    {"train.scale_lr", MG_BOOL, offsetof(type, member.scale_lr), SCALE_LR, 0, 0, "multiply train.lr by train.batch / 256", NULL}, \
    {"train.rate", MG_CHOICE, offsetof(type, member.rate), "cosine", 0, 0, "course of the rate after the warm-up: half a cosine down to train.min_lr, or constant", "cosine|constant"}, \
    {"train.min_lr", MG_REAL, offsetof(type, member.min_lr), "0", 0, 10, "learning rate at the end of the half cosine", NULL}, \
    {"train.warmup", MG_REAL, offsetof(type, member.warmup), "0.05", 0, 1, "share of the run in which the rate rises from 0", NULL}, \
    {"train.save_every", MG_INT, offsetof(type, member.save_every), "200", 1, 1e9, "steps between checkpoints", NULL}, \
    {"train.keep", MG_INT, offsetof(type, member.keep), "3", 1, 1000, "checkpoints kept", NULL},     \
    {"train.log_every", MG_INT, offsetof(type, member.log_every), "1", 1, 1e6, "steps between progress lines (metrics.jsonl has every step)", NULL}, \
    {"optimizer.beta1", MG_REAL, offsetof(type, member.beta1), "0.9", 0, 0.99999, "AdamW, first moment", NULL}, \
    {"optimizer.beta2", MG_REAL, offsetof(type, member.beta2), BETA2, 0, 0.9999999, "AdamW, second moment", NULL}, \
    {"optimizer.eps", MG_REAL, offsetof(type, member.eps), "1e-8", 0, 1, "AdamW, added to the root of the second moment", NULL}, \
    {"optimizer.decay", MG_REAL, offsetof(type, member.decay), DECAY, 0, 1, "AdamW, weight decay (not of biases and one-dimensional tensors)", NULL}, \
    {"optimizer.clip", MG_REAL, offsetof(type, member.clip), CLIP, 0, 1e9, "largest gradient norm (0: no clipping)", NULL}, \
    {"optimizer.shard", MG_BOOL, offsetof(type, member.shard), "false", 0, 0, "split the moments of AdamW over the ranks: less memory, the same results; updated weights go to all ranks", NULL}
// clang-format on

// Where the run stands and what this rank owns of the step.
typedef struct {
    int64_t epoch, step_in_epoch; // E, s
    int64_t step;                 // counted over the run, from 0
    int64_t steps_per_epoch;
    uint64_t seed;
    int64_t batch;     // M
    int64_t leaf_size; // samples of one leaf
    int64_t lo, hi;    // this rank's global positions
    int leaves;        // leaves of this rank: positions lo + leaf * leaf_size ..
} mg_step;

// What a task brings. Functions return failures of this rank; the loop agrees on them.
typedef struct {
    void *self;
    mg_params *params;
    int64_t samples; // size of the data set
    bool needs_more; // a leaf needs more than one sample in the global batch (M = 1 is refused)
    int scalars;     // sums over the leaves of a step, in doubles, by the fixed tree
    const char *const *scalar_name;
    int losses; // the first `losses` of them must be finite
    // Get this rank's samples of the step ready. *wait_s: seconds spent waiting for data.
    mg_status (*fetch)(void *self, const mg_step *step, double *wait_s);
    // Before the leaves; collective. NULL if not needed.
    mg_status (*prepare)(void *self, const mg_step *step);
    // Forward and backward of local leaf 0..leaves-1: add to grads (zeroed before), scalars (zeroed
    // before). Tells `ready` as gradients become final for this leaf.
    mg_status (*leaf)(void *self, const mg_step *step, int leaf, float *grads, double *scalars,
                      const mg_ready *ready);
    // Put what belongs into the step's record: "loss" and so on, from the summed scalars. Rank 0.
    void (*record)(void *self, const mg_step *step, const double *scalars, mg_json *record);
    // The same as "key value" text for the progress line. Rank 0.
    void (*progress)(void *self, const double *scalars, char *text, size_t room);
    // After the update of a step (pictures, indicators, validation); collective. NULL if not needed.
    mg_status (*after)(void *self, const mg_step *step);
    // The samples of a leaf, for messages ("set/name, set/name"). mg_free.
    char *(*describe)(void *self, const mg_step *step, int leaf);
    const char *kind;   // "pretrain" or "finetune", goes into the checkpoint
    const char *config; // YAML text that rebuilds the model, goes into the checkpoint
} mg_task;

// Check batch, leaves, ranks and reduce against each other; the message names the nearest values
// that fit. Same result on all ranks. MG_ERR_CONFIG.
mg_status mg_train_check(int ranks, const mg_train_config *config);

// The share of a step that rank `rank` of `ranks` has (lo, hi, leaves, leaf_size, batch, seed).
void mg_train_share(int rank, int ranks, const mg_train_config *config, mg_step *step);

// Bytes of this rank's gradients, moments and sums over ranks, beside the weights (of
// `params->trainable_size` values) and what the task itself needs.
typedef struct {
    size_t gradients, moments, exchange;
} mg_train_memory;
mg_train_memory mg_train_memory_of(int ranks, const mg_train_config *config, const mg_step *share,
                                   const mg_params *params);

// Train to the end, from the newest complete checkpoint of the run folder if there is one.
// Collective on `world`. Returns MG_ERR_STOPPED after a signal and a checkpoint.
mg_status mg_train(const mg_comm *world, mg_run *run, const mg_train_config *config,
                   const mg_task *task);

// Parameters of a checkpoint or weight file into `params`: every tensor must be there with its shape,
// and the file must hold nothing else. Collective on `world`. More freedom: models/weights_load.h.
mg_status mg_params_load(const mg_comm *world, const char *path, mg_params *params);

// What rebuilds the model of a file: kind ("finetune", "pretrain") and settings as YAML, mg_free'd by the
// caller. They lie in medgraft's own files; for others they are told from the shapes, and *config is
// NULL where these do not tell enough. `path` is a weight file or a run folder (its newest complete
// checkpoint); *file gets the file's path. Collective on `world`.
mg_status mg_checkpoint_config(const mg_comm *world, const char *path, char **file, char **kind,
                               char **config);

#endif
