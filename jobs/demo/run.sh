#!/bin/sh
# The paper's story in miniature, on phantoms: pretrain an encoder on four unlabelled kinds of
# pictures, train a small SAM on one labelled kind, meet a new kind, compare SAM, full fine-tuning
# and adapters; then name organs in words. Everything goes to runs/demo; a second start goes on where the first one stopped.
set -eu
cd "$(dirname "$0")/../.."
out=${DEMO_OUT:-runs/demo}
ranks=${DEMO_RANKS:-2}
conf=jobs/demo
mg=./medgraft
export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mpi() { mpirun --oversubscribe --bind-to none -n "$ranks" "$mg" "$@"; }

phantom() { # NAME DATASET COUNT SEED
    [ -e "$out/raw/$1/done" ] && return
    mpi phantom --dataset "$2" --count "$3" --seed "$4" --out "$out/raw/$1"
    touch "$out/raw/$1/done"
}
pack() { # NAME DATASET
    mpi shard --dataset "$2" --root "$out/raw/$1" --out "$out/shards/$1"
}
make_set() { # NAME DATASET COUNT SEED
    phantom "$@"
    pack "$1" "$2"
}

echo "== phantoms and shards"
make_set pre-ct demo_ct 300 11
make_set pre-fundus demo_fundus 300 12
make_set pre-us demo_us 300 13
make_set pre-derm demo_derm 300 14
make_set ct demo_ct 600 21
make_set ct-test demo_ct 128 22
make_set fundus demo_fundus 64 23
make_set fundus-test demo_fundus 128 24
make_set organs demo_organs 64 25
make_set organs-test demo_organs 48 26

echo "== stage 1: pretraining without labels (MAE, e-Mix, ShED)"
s=$out/shards
mpi pretrain --config $conf/pretrain.yaml --out "$out/pretrain" \
    --set data.sets="$s/pre-ct,$s/pre-fundus,$s/pre-us,$s/pre-derm"

echo "== stage 2: a small SAM on one kind of picture"
mpi finetune --config $conf/sam.yaml --init "$out/pretrain" --out "$out/sam" --set data.sets="$s/ct"

echo "== stage 3: a new kind of picture, full fine-tuning and adapters"
mpi finetune --config $conf/medsam.yaml --init "$out/sam" --out "$out/medsam" \
    --set data.sets="$s/fundus"
mpi finetune --config $conf/msa.yaml --init "$out/sam" --out "$out/msa" --set data.sets="$s/fundus"

echo "== stage 4: organs by their names (words are embedded by a stand-in: CLIP's files are not here)"
[ -e "$out/texts.h5" ] || "$mg" text --corpus finetune/texts/btcv.txt --out "$out/texts.h5"
name_organs() { # NAME [SETTING...]
    name=$1
    shift
    mpi finetune --config $conf/text.yaml --init "$out/sam" --out "$out/$name" \
        --set data.sets="$s/organs" --set prompts.texts="$out/texts.h5" "$@"
}
name_organs text
name_organs text-untrained --set train.steps=1 --set train.lr=0

echo "== scores on held-out pictures"
evaluate() { # NAME MODEL SET CLICKS [SETTING...]
    name=$1 model=$2 set=$3 clicks=$4
    shift 4
    mpi evaluate --model "$out/$model" --out "$out/eval/$name" --set data.sets="$s/$set" \
        --part all --clicks "$clicks" --one-class --method "$name" "$@"
}
evaluate SAM-source sam ct-test 1,3,10
evaluate SAM sam fundus-test 1,3,10
evaluate MedSAM medsam fundus-test 1
evaluate MSA msa fundus-test 1 --other-object
evaluate_texts() { # NAME MODEL
    mpi evaluate --model "$out/$2" --out "$out/eval/$2" --set data.sets="$s/organs-test" \
        --part all --clicks "" --set evaluate.texts="$out/texts.h5" --method "$1"
}
evaluate_texts "MSA, stand-in texts" text
evaluate_texts "the same, untrained" text-untrained
"$mg" report "$out/pretrain" "$out/sam" "$out/medsam" "$out/msa" "$out/text" \
    "$out/eval/SAM-source" "$out/eval/SAM" "$out/eval/MedSAM" "$out/eval/MSA" \
    "$out/eval/text" "$out/eval/text-untrained" --out "$out/report" >"$out/report.txt"
cat "$out/report.txt"

echo "== against the levels of the recipe"
$conf/check.sh "$out/report.txt" "$out/pretrain/metrics.jsonl" "$out/msa/log.txt"
