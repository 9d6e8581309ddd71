// medgraft plan: what a training run will need, from its settings alone: parameters, memory of a rank,
// work, traffic between ranks, time. Each training stage fills in its part; main.c registers them.
#ifndef MG_MODELS_PLAN_H
#define MG_MODELS_PLAN_H

#include "models/trainer.h"
#include "runtime/cli.h"

// Section "plan.".
typedef struct {
    int64_t ranks, samples;
    bool volumes;
    double gflops, gbytes_per_s;
} mg_plan_settings;

// What a stage tells. Bytes are those of one rank, of the rank that needs most.
typedef struct {
    mg_train_config train;
    mg_step share;                 // of rank 0
    int64_t parameters, trainable; // values
    size_t weights, activations;   // the table with its padding; planned blocks of model and task
    size_t loader;                 // prepared samples and their order
    size_t other;                  // what else a stage holds for a while (health figures)
    size_t gradient;               // one array of gradients
    mg_train_memory memory;
    double work; // operations of one sample in a step, forward and backward
    double sent; // bytes that leave a rank in a step beside gradients
} mg_plan;

// A training stage: its name ("pretrain"), its settings, and how a plan is made. `make` loads the settings
// of `plan` (section "plan.", which it passes on) together with its own.
typedef struct {
    const char *name;
    int (*options)(mg_option_group *groups, int room);
    mg_status (*make)(const mg_args *args, const mg_option_group *plan, mg_plan *out);
} mg_plan_stage;

// Stages, ended by a zero entry, kept by the caller. Called by main.
void mg_plan_register(const mg_plan_stage *list);

// What follows from the parameters' table and the trainer's settings: fills in everything but activations,
// loader, other, work and sent.
void mg_plan_training(mg_plan *plan, const mg_plan_settings *s, const mg_train_config *train,
                      const mg_step *share, const mg_params *params);

// All bytes of a rank; bytes of a checkpoint.
size_t mg_plan_bytes(const mg_plan *p);
size_t mg_plan_checkpoint(const mg_plan *p);
// Bytes that a rank sends in a step, gradients included (each is sent and received once but for a rank's
// own part: 2 (P - 1) / P of the array; with optimizer.shard the weights go round too).
double mg_plan_sent(const mg_plan *p, int64_t ranks);

// Seconds of a step: its operations at `gflops` a rank, and what the traffic adds to them. The sums of
// gradients hide behind the backward pass of a rank's last leaf; what does not fit behind it is added.
typedef struct {
    double compute_s, network_s, step_s;
} mg_plan_time;
mg_plan_time mg_plan_seconds(const mg_plan *p, const mg_plan_settings *s);

#endif
