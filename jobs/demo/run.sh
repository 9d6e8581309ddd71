#!/bin/sh
# The paper's story in miniature, on phantoms: pretrain an encoder on four unlabelled kinds of
# pictures, train a small SAM on one labelled kind, meet a new kind, compare SAM, full fine-tuning
# and adapters. Everything goes to runs/demo; a second start goes on where the first one stopped.
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
"$mg" report "$out/pretrain" "$out/sam" "$out/medsam" "$out/msa" "$out/eval/SAM-source" \
    "$out/eval/SAM" "$out/eval/MedSAM" "$out/eval/MSA" --out "$out/report" >"$out/report.txt"
cat "$out/report.txt"

echo "== against the levels of the recipe"
$conf/check.sh "$out/report.txt" "$out/pretrain/metrics.jsonl" "$out/msa/log.txt"
