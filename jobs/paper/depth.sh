#!/bin/sh
# Volumes: what the depth branch and carried masks are worth with one click per stack, beside SAM slice
# by slice with a click on each. On phantoms: a small SAM learns from single slices of one kind, then
# adapters are trained on stacks of CT volumes (AMOS), with and without the depth branch, with and
# without carrying. Everything of a seed goes to runs/depth/seed-N; a second start goes on where the
# first one stopped.
# usage: [SEED=0] [DEPTH_OUT=runs/depth] [DEPTH_RANKS=2] jobs/paper/depth.sh
set -eu
cd "$(dirname "$0")/../.."
seed=${SEED:-0}
out=${DEPTH_OUT:-runs/depth}/seed-$seed
ranks=${DEPTH_RANKS:-2}
mg=${MEDGRAFT:-./medgraft}
conf=jobs/paper/depth
export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
if [ "$ranks" = 1 ]; then
    mpi() { "$mg" "$@"; }
else
    mpi() { mpirun --oversubscribe --bind-to none -n "$ranks" "$mg" "$@"; }
fi

make_set() { # NAME DATASET COUNT SEED [SETTING...]: phantoms drawn and packed
    name=$1 dataset=$2 count=$3 drawn=$4
    shift 4
    if [ ! -e "$out/raw/$name/done" ]; then
        mpi phantom --dataset "$dataset" --count "$count" --seed "$drawn" --size 96 --out "$out/raw/$name"
        touch "$out/raw/$name/done"
    fi
    mpi shard --dataset "$dataset" --root "$out/raw/$name" --out "$out/shards/$name" "$@"
}
train() { # NAME CONFIG INIT SET [SETTING...]
    name=$1 config=$2 init=$3 set=$4
    shift 4
    mpi finetune --config "$conf/$config.yaml" --init "$out/$init" --out "$out/$name" \
        --set train.seed="$seed" --set data.sets="$out/shards/$set" "$@"
}
evaluate() { # NAME MODEL METHOD [SETTING...]
    name=$1 model=$2 method=$3
    shift 3
    mpi evaluate --model "$out/$model" --out "$out/eval/$name" --set data.sets="$out/shards/volumes-test" \
        --part all --clicks 1 --method "$method" "$@"
}

# A third of the AMOS scans are MR or have no label: they are left out.
make_set slices demo_ct 600 $((100 * seed + 1))
make_set volumes amos 48 $((100 * seed + 2)) --set 'amos.spacing=[]'
make_set volumes-test amos 24 $((100 * seed + 3)) --set 'amos.spacing=[]'

mpi pretrain --config $conf/pretrain.yaml --out "$out/pretrain" --set train.seed="$seed" \
    --set data.sets="$out/shards/slices"
train sam sam pretrain slices
train msa-2d msa sam volumes
train msa-3d msa sam volumes --set model.depth_branch=true
train msa-2d-alone msa sam volumes --set prompts.carry=false
train msa-3d-alone msa sam volumes --set model.depth_branch=true --set prompts.carry=false

evaluate sam sam SAM --volume slice,stack
evaluate sam-alone sam SAM --volume stack --carry off
evaluate msa-2d msa-2d "MSA, 2-D" --volume slice,stack
evaluate msa-2d-alone msa-2d-alone "MSA, 2-D"
evaluate msa-3d msa-3d "MSA, 3-D" --volume slice,stack
evaluate msa-3d-alone msa-3d-alone "MSA, 3-D"
# All seeds that have been run so far, side by side: means, spread, differences case by case, and pictures.
all=${DEPTH_OUT:-runs/depth}
set --
for run in sam sam-alone msa-2d-alone msa-2d msa-3d-alone msa-3d; do
    for scored in "$all"/seed-*/eval/msa-3d-alone/cases.csv; do
        set -- "$@" "${scored%/msa-3d-alone/cases.csv}/$run"
    done
done
"$mg" report "$@" --out "$all/report" --baseline "MSA, 3-D, 1 click/stack (D=8)" \
    --title "One click per stack: depth branch and carried masks (phantoms)"
