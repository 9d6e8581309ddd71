// The commands of medgraft. Everything a command does lives in its own cmd_*.c; how a command line
// becomes a running command is in runtime/cli.c.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datasets/cmd.h"
#include "finetune/cmd.h"
#include "models/cmd.h"
#include "models/doctor_products.h"
#include "models/plan.h"
#include "pretrain/cmd.h"
#include "runtime/cli.h"
#include "runtime/cmd_doctor.h"
#include "shard/cmd.h"

// clang-format off
static const mg_command commands[] = {
    {"phantom", mg_cmd_phantom, MG_USES_MPI, "write synthetic data sets in the layout of the real ones",
     "", mg_cmd_phantom_options},
    {"check-data", mg_cmd_check_data, MG_USES_MPI, "open every case of a raw data set and hold it against what is known of the set",
     "", mg_cmd_check_data_options},
    {"shard", mg_cmd_shard, MG_USES_MPI | MG_STOPS, "pack a raw data set into shards",
     "", mg_cmd_shard_options},
    {"inspect", mg_cmd_inspect, 0, "describe and verify a shard set, shard, checkpoint, run or weight file",
     "PATH", mg_cmd_inspect_options},
    {"pretrain", mg_cmd_pretrain, MG_USES_MPI | MG_STOPS, "train an image encoder without labels",
     "", mg_cmd_pretrain_options},
    {"probe", mg_cmd_probe, MG_USES_MPI, "k-NN and linear probe of an encoder on labelled shards",
     "", mg_cmd_probe_options},
    {"finetune", mg_cmd_finetune, MG_USES_MPI | MG_STOPS, "train a promptable segmentation model with simulated clicks and boxes",
     "", mg_cmd_finetune_options},
    {"evaluate", mg_cmd_evaluate, MG_USES_MPI | MG_STOPS, "score a model on held-out cases",
     "", mg_cmd_evaluate_options},
    {"predict", mg_cmd_predict, 0, "masks of a picture or volume from clicks, boxes, texts",
     "PICTURE | VOLUME.nii.gz...", mg_cmd_predict_options},
    {"text", mg_cmd_text, 0, "embed free texts with CLIP into a file that training reads",
     "", mg_cmd_text_options},
    {"report", mg_cmd_report, 0, "tables, curves and pictures of runs: as text, and as one HTML page",
     "RUN...", mg_cmd_report_options},
    {"bench", mg_cmd_bench, MG_USES_MPI, "kernels and whole steps against the measured peak of this machine",
     "", mg_cmd_bench_options},
    {"convert", mg_cmd_convert, 0, "weights between .pth, .safetensors and medgraft checkpoints, and between the names of programs",
     "IN OUT", mg_cmd_convert_options},
    {"plan", mg_cmd_plan, 0, "memory, work, traffic and time of a training run, before it is queued",
     "pretrain|finetune", mg_cmd_plan_options},
    {"doctor", mg_cmd_doctor, MG_USES_MPI, "look at ranks, threads, libraries, files, and what is wrong with them",
     "", NULL},
    {0},
};
// clang-format on

static const mg_plan_stage plans[] = {
    {"pretrain", mg_cmd_pretrain_options, mg_pretrain_plan_run},
    {"finetune", mg_cmd_finetune_options, mg_finetune_plan_run},
    {0},
};

static const mg_doctor_probe probes[] = {mg_doctor_products, NULL};

// BLAS gets one thread: medgraft splits its products over its own threads. OpenBLAS fixes its thread
// count and the binding of its threads when it is loaded, before main, and setting the count later
// does not undo that (with OMP_PROC_BIND=true products then run at half speed). So the program
// starts itself once more with the variable set. Where that is not possible it is slower, not wrong.
static void one_blas_thread(char **argv)
{
    const char *threads = getenv("OPENBLAS_NUM_THREADS");

    if (threads && strcmp(threads, "1") == 0) return;
    if (setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0) execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    one_blas_thread(argv);
    mg_doctor_register(probes);
    mg_plan_register(plans);
    return mg_cli_main(argc, argv, commands);
}
