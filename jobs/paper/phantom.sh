#!/bin/bash
# Tables 1 to 3 of the paper end to end, on phantoms: plan.sh with the settings of the real runs, a small model,
# small volumes and few steps. It shows that every stage works and what the tables look like; its numbers say
# nothing about the paper. Everything goes to runs/paper-phantom; a second start goes on where the first one
# stopped. PAPER_TABLES ("1 2 3"), PAPER_RANKS (2), PAPER_STEPS of each training (60), PAPER_SAM_STEPS of the
# model in the place of SAM (400), PAPER_SIZE of pictures and slices (64); ABLATIONS as in plan.sh (no-decoder
# no-depth texts).
set -eu
cd "$(dirname "$0")/../.."
export OUT=${OUT:-runs/paper-phantom} ABLATIONS=${ABLATIONS:-no-decoder no-depth texts}
export RAW=$OUT/raw SAM=$OUT/sam MASKS=$OUT/masks
read -r -a tables <<<"${PAPER_TABLES:-1 2 3}"
ranks=${PAPER_RANKS:-2} steps=${PAPER_STEPS:-60} size=${PAPER_SIZE:-64}
export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mg=${MEDGRAFT:-./medgraft}
mpi() { mpirun --oversubscribe --bind-to none -n "$ranks" "$mg" "$@" </dev/null; }

# What is smaller than in the real runs. (The published test cases of BTCV are the last ones: too many to draw.)
export SHARD="--set amos.spacing=0,0,0 --set btcv.spacing=0,0,0 --set btcv.split=folds"
small="--set train.leaves=4 --set train.steps=$steps --set data.threads=1"
export PRETRAIN="--set model.size=custom --set model.image=96 --set model.patch=8 --set model.dim=128 --set model.depth=4
    --set model.heads=4 --set pretrain.proj_dim=64 --set pretrain.decoder_dim=64 --set pretrain.decoder_depth=1
    --set pretrain.decoder_heads=4 --set pretrain.mode=split --set pretrain.health_every=0 $small
    --set train.batch=24 --set train.lr=1e-3 --set train.scale_lr=false"
# With the focal part as heavy as in the real runs (20) so few steps end in empty masks.
export FINETUNE="$small --set train.batch=4 --set train.lr=2e-3 --set model.slices=4"
FINETUNE="$FINETUNE --set train.focal_weight=1 --set optimizer.clip=1"
export EVALUATE="--set evaluate.pictures=8 --set evaluate.replicates=1000"

phantom() { # NAME COUNT SEED SIZE
    [ -e "$RAW/$1/done" ] && return
    mpi phantom --dataset "$1" --count "$2" --seed "$3" --size "$4" --out "$RAW/$1"
    touch "$RAW/$1/done"
}
pack() { # NAME
    phantom "$1" "$2" "$3" "$4"
    mpi shard --dataset "$1" --root "$RAW/$1" --out "$OUT/shards/$1"
}
stage() { # NAME: its lines, one after the other
    local line
    echo "== $1"
    jobs/paper/plan.sh "$1" "${tables[@]}" >"$OUT/lists/$1.txt"
    while read -r line; do
        case $1 in
        text | report) "$mg" $line </dev/null ;;
        *) mpi $line ;;
        esac
    done <"$OUT/lists/$1.txt"
}

mkdir -p "$OUT/lists"
echo "== phantoms"
for set in radimagenet eyepacs ham10000 bcn20000; do phantom $set 60 1 $size; done
for table in "${tables[@]}"; do
    case $table in
    1) phantom amos 14 2 "$size" ;;
    2) phantom btcv 16 3 "$size" ;;
    3) phantom refuge 24 4 96 && phantom riga 30 7 96 && phantom brats 8 5 "$size" && phantom tnscui 40 6 "$size" &&
        phantom ddti 30 8 96 ;;
    esac
done

echo "== a small model in the place of SAM: trained on one kind of picture, as SAM is on photographs"
pack demo_ct 300 21 96
mpi finetune --config jobs/demo/sam.yaml --out "$SAM" --set data.sets="$OUT/shards/demo_ct" --set train.steps="${PAPER_SAM_STEPS:-400}"

stage shard
# A row of another program: the tumour of one training case in the place of every other, "one atlas".
if [ -d "$RAW/brats" ] && [ ! -d "$MASKS/brats" ]; then
    mkdir -p "$MASKS/brats/atlas"
    find "$RAW/brats" -name '*_seg.nii.gz' | sort >"$OUT/lists/segmentations.txt"
    while read -r file; do
        case_=$(basename "$file" _seg.nii.gz)
        cp "$(head -n 1 "$OUT/lists/segmentations.txt")" "$MASKS/brats/atlas/$case_.nii.gz"
    done <"$OUT/lists/segmentations.txt"
fi
stage text
stage pretrain
stage finetune
stage evaluate
stage report | tee "$OUT/report.txt"
