#!/bin/bash
# Submit the whole pipeline as jobs that wait for each other: shard, pretrain, finetune, evaluate.
#   jobs/slurm/chain.sh DATASET RAW OUT PRETRAIN.yaml FINETUNE.yaml [SBATCH OPTION]...
# OUT gets shards/DATASET, pretrain, finetune, evaluate. Give the same line again after a failure:
# what is done is found done, the rest goes on. Set from outside, if need be:
#   JOBS   number of jobs in a row for each training (1): where jobs may not be requeued, so many jobs
#          with the same command follow each other, and each goes on where the one before stopped
set -eu
[ $# -ge 5 ] || {
    sed -n '2,7s/^# *//p' "$0" >&2
    exit 2
}
dataset=$1 raw=$2 out=$3 pretrain=$4 finetune=$5
shift 5
here=$(cd "$(dirname "$0")" && pwd)
export MEDGRAFT_HOME="${MEDGRAFT_HOME:-$(cd "$here/../.." && pwd)}"
options=("$@")

# submit AFTER SCRIPT ARGUMENT...: the job's number into $job. AFTER is a dependency or empty.
submit() {
    local after=$1 script=$2
    shift 2
    job=$(sbatch --parsable ${after:+--dependency="$after" --kill-on-invalid-dep=yes} \
        "${options[@]}" "$here/$script.sbatch" "$@")
    job=${job%%;*} # without the cluster's name
    echo "$script $job"
}

# train AFTER SCRIPT ARGUMENT...: the same command in JOBS jobs. All but the first also start after a
# failure of the one before; the last one says whether the training is done.
train() {
    submit "$@"
    shift
    for ((i = 1; i < ${JOBS:-1}; i++)); do submit "afterany:$job" "$@"; done
}

shards=$out/shards/$dataset
submit "" shard --dataset "$dataset" --root "$raw" --out "$shards"
train "afterok:$job" pretrain --config "$pretrain" --out "$out/pretrain" --set data.sets="$shards"
train "afterok:$job" finetune --config "$finetune" --init "$out/pretrain" --out "$out/finetune" \
    --set data.sets="$shards"
submit "afterok:$job" evaluate --model "$out/finetune" --out "$out/evaluate" --set data.sets="$shards"
