#!/bin/sh
# The methods of the paper side by side on phantoms, over several seeds: SAM with 1, 3 and 10 clicks, full
# fine-tuning (MedSAM) with 1, MSA in the paper's form and in that of the released code with 1, MSA by
# texts, and by a text and 1 click. A seed changes the phantoms, the initial weights and the order of
# the data. A small model (jobs/demo) learns organs without names and then meets five named ones of
# another modality. With METHODS_ABLATIONS=1 also MSA without one part each.
#   usage: jobs/paper/methods.sh [SEED...]     (0 1 2 unless given)
# Everything goes to $METHODS_OUT; a second start goes on where the first one stopped.
set -eu
cd "$(dirname "$0")/../.."
out=${METHODS_OUT:-runs/methods}
ranks=${METHODS_RANKS:-2}
conf=jobs/paper
mg=${METHODS_PROGRAM:-./medgraft}
export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mpi() { mpirun --oversubscribe --bind-to none -n "$ranks" "$mg" "$@"; }
[ $# -gt 0 ] || set -- 0 1 2
seeds=$*

make_set() { # NAME DATASET COUNT NUMBER: pictures of this seed
    if [ ! -e "$here/shards/$1/index.json" ]; then
        mpi phantom --dataset "$2" --count "$3" --seed "$((1000 * seed + $4))" --out "$here/raw/$1"
        mpi shard --dataset "$2" --root "$here/raw/$1" --out "$here/shards/$1"
        rm -r "$here/raw/$1"
    fi
}
train() { # NAME CONFIG SET [SETTING...]
    name=$1 config=$2 set=$3
    shift 3
    mpi finetune --config "$config" --out "$here/$name" --set train.seed="$seed" \
        --set data.sets="$here/shards/$set" "$@"
}
evaluate() { # MODEL METHOD CLICKS [SETTING...]
    name=$1 method=$2 clicks=$3
    shift 3
    [ -e "$here/eval/$name/summary.json" ] && return
    mpi evaluate --model "$here/$name" --out "$here/eval/$name" --part all --pictures 4 \
        --set data.sets="$here/shards/organs-test" --method "$method" --clicks "$clicks" "$@"
}

one_seed() {
    echo "== seed $seed: phantoms"
    make_set pre-ct demo_ct 300 11
    make_set pre-fundus demo_fundus 300 12
    make_set pre-us demo_us 300 13
    make_set pre-derm demo_derm 300 14
    make_set ct demo_ct 600 21
    make_set organs demo_organs 64 31
    make_set organs-test demo_organs 48 32
    [ -e "$out/texts.h5" ] || "$mg" text --corpus finetune/texts/btcv.txt --out "$out/texts.h5"

    echo "== seed $seed: pretraining, SAM"
    s=$here/shards
    mpi pretrain --config jobs/demo/pretrain.yaml --out "$here/pretrain" --set train.seed="$seed" \
        --set data.sets="$s/pre-ct,$s/pre-fundus,$s/pre-us,$s/pre-derm"
    train sam jobs/demo/sam.yaml ct --init "$here/pretrain" --set train.steps=500

    echo "== seed $seed: the new kind of picture"
    train medsam $conf/methods-medsam.yaml organs --init "$here/sam"
    train msa $conf/methods-msa.yaml organs --init "$here/sam"
    train release $conf/methods-release.yaml organs --init "$here/sam"
    train text $conf/methods-text.yaml organs --init "$here/sam" \
        --set prompts.texts="$out/texts.h5"

    evaluate sam SAM 1,3,10
    evaluate medsam MedSAM 1
    evaluate msa MSA 1
    evaluate release "MSA release" 1
    evaluate text "MSA text" "" --set evaluate.texts="$out/texts.h5"
    [ "${METHODS_ABLATIONS:-0}" = 1 ] && ablations
    return 0
}

ablations() {
    echo "== seed $seed: MSA without one part each"
    train no-decoder $conf/methods-msa.yaml organs --init "$here/sam" --decoder-adapters=false
    train no-encoder $conf/methods-msa.yaml organs --init "$here/sam" --encoder-adapters=false
    train drawn $conf/methods-drawn.yaml organs
    evaluate no-decoder "MSA, no decoder adapters" 1
    evaluate no-encoder "MSA, no encoder adapters" 1
    evaluate drawn "MSA, nothing pretrained" 1
}

for seed in $seeds; do
    here=$out/seed-$seed
    mkdir -p "$here"
    one_seed
done

echo "== report"
set --
for name in sam medsam msa release text no-decoder no-encoder drawn; do
    for seed in $seeds; do
        [ -e "$out/seed-$seed/eval/$name/summary.json" ] && set -- "$@" "$out/seed-$seed/eval/$name"
    done
done
"$mg" report "$@" --title "Methods on phantoms" --baseline "MSA" --out "$out/report" \
    >"$out/report.txt"
cat "$out/report.txt"
