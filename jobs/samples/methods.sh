#!/bin/sh
# The methods of the paper side by side on the few real pictures: lesions, nodules, optic discs and cups, learnt from
# some twenty pictures and scored on the handful held out (hash folds; far too few for a measurement), over the seeds of
# jobs/paper/methods.sh, whose small models take the place of SAM. Needs the shards of jobs/samples/run.sh.
#   usage: jobs/samples/methods.sh [SEED...]     (0 1 2 unless given)
set -eu
cd "$(dirname "$0")/../.."
out=${SAMPLES_OUT:-runs/samples}
sams=${METHODS_OUT:-runs/methods}
ranks=${SAMPLES_RANKS:-2}
steps=${SAMPLES_STEPS:-150}
here=$out/methods
mg=./medgraft
export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mpi() { mpirun --oversubscribe --bind-to none -n "$ranks" "$mg" "$@"; }
[ $# -gt 0 ] || set -- 0 1 2
seeds=$*
for need in "$out/shards/tnscui" "$sams/seed-${seeds%% *}/sam"; do
    [ -d "$need" ] || { echo "skipped: '$need' is missing (jobs/samples/run.sh, jobs/paper/methods.sh)"; exit 0; }
done

s=$out/shards
sets="$s/isic,$s/ham,$s/tnscui,$s/ddti,$s/refuge"
mkdir -p "$here"
cat finetune/texts/skin.txt finetune/texts/thyroid.txt finetune/texts/fundus.txt >"$here/texts.txt"
[ -e "$here/texts.h5" ] || "$mg" text --corpus "$here/texts.txt" --out "$here/texts.h5"

train() { # NAME CONFIG [SETTING...]
    name=$1 config=$2
    shift 2
    mpi finetune --config "jobs/paper/methods-$config.yaml" --init "$sams/seed-$seed/sam" \
        --out "$here/seed-$seed/$name" --set train.seed="$seed" --set data.sets="$sets" \
        --set data.part=train --set train.batch=8 --set train.steps="$steps" "$@"
}
evaluate() { # MODEL METHOD CLICKS FOLDER [SETTING...]
    name=$1 method=$2 clicks=$3 model=$4
    shift 4
    [ -e "$here/seed-$seed/eval/$name/summary.json" ] && return
    mpi evaluate --model "$model" --out "$here/seed-$seed/eval/$name" --part test --pictures 10 \
        --set data.sets="$sets" --method "$method" --clicks "$clicks" "$@"
}
runs=""
for seed in $seeds; do
    train medsam medsam
    train msa msa
    train release release
    train text text --set prompts.texts="$here/texts.h5"
    evaluate sam SAM 1,3,10 "$sams/seed-$seed/sam"
    for row in medsam:MedSAM msa:MSA release:"MSA release"; do
        evaluate "${row%%:*}" "${row#*:}" 1 "$here/seed-$seed/${row%%:*}"
    done
    evaluate text "MSA text" "" "$here/seed-$seed/text" --set evaluate.texts="$here/texts.h5"
    for name in sam medsam msa release text; do runs="$runs $here/seed-$seed/eval/$name"; done
done
# shellcheck disable=SC2086
"$mg" report $runs --title "Methods on a few real pictures" --baseline MSA --out "$here/report" >"$here/report.txt"
cat "$here/report.txt"
