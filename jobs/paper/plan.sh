#!/bin/bash
# The experiments of the paper's tables as medgraft commands, one a line, as jobs/slurm/array.sbatch takes
# them. Lines of a stage are independent of each other; a stage needs the ones before it.
#   jobs/paper/plan.sh STAGE TABLE...      STAGE: shard text pretrain finetune evaluate report
# Where things are (no blanks in names), from the environment:
#   RAW    folder with the raw data sets, each in a folder of its name: RAW/amos, RAW/radimagenet, ...
#   OUT    folder for shards and runs (runs/paper)
#   SAM    SAM's weights (sam_vit_b_01ec64.pth) or a run that stands for them
#   MASKS  masks of other programs: MASKS/amos/nnUNet/amos_0008.nii.gz (none)
#   CLIP   folder of CLIP's text weights and merges.txt (a stand-in that knows words only)
#   SHARD, PRETRAIN, FINETUNE, EVALUATE, REPORT   further words for the commands of a stage
#   ABLATIONS   which: no-pretraining no-decoder no-depth stack texts (all; "none")
set -eu
[ $# -ge 2 ] || {
    sed -n '2,14s/^# *//p' "$0" >&2
    exit 2
}
stage=$1
shift
RAW=${RAW:-raw} OUT=${OUT:-runs/paper} SAM=${SAM:-sam_vit_b_01ec64.pth} MASKS=${MASKS:-}
conf=jobs/paper
mixture="radimagenet eyepacs ham10000 bcn20000"

sets_of() { # sets_of TABLE: NAME:DIMENSIONS of its data sets
    case $1 in
    1) echo amos:3d ;;
    2) echo btcv:3d ;;
    3) echo refuge:2d riga:2d brats:3d tnscui:2d ddti:2d ;;
    *) echo "there is no table '$1', expected 1, 2 or 3" >&2 && exit 2 ;;
    esac
}
sets=
for table in "$@"; do sets="$sets $(sets_of "$table")"; done

ablations_of() { # ablations_of DIMENSIONS
    local all=${ABLATIONS:-no-pretraining no-decoder no-depth stack texts} one
    for one in $all; do
        case $one:$1 in
        none:*) ;;
        no-pretraining:* | *:3d) echo "$one" ;;
        esac
    done
}

# shellcheck disable=SC2048,SC2086  # words without the empty ones
line() { echo $*; }

shard() {
    local name
    for name in $sets $mixture; do
        name=${name%:*}
        line shard --dataset "$name" --root "$RAW/$name" --out "$OUT/shards/$name" "${SHARD:-}"
    done
}

text() {
    local name dim
    for name in $sets; do
        dim=${name#*:} name=${name%:*}
        ablations_of "$dim" | grep -q '^texts$' || continue
        line text --corpus "finetune/texts/$name.txt" --out "$OUT/texts-$name.h5" \
            ${CLIP:+--weights "$CLIP" --merges "$CLIP/merges.txt"}
    done
}

pretrain() {
    local list
    list=$(for name in $mixture; do printf '%s' ",$OUT/shards/$name"; done)
    line pretrain --config $conf/pretrain.yaml --init "$SAM" --out "$OUT/pretrain" \
        --set "data.sets=${list#,}" "${PRETRAIN:-}"
}

finetune() {
    local name dim one
    train() { # train RUN CONFIG WORD...
        local run=$1 config=$2
        shift 2
        line finetune --config "$conf/$config-$dim.yaml" --out "$OUT/$run-$name" \
            --set "data.sets=$OUT/shards/$name" "$@" "${FINETUNE:-}"
    }
    for name in $sets; do
        dim=${name#*:} name=${name%:*}
        train medsam medsam --init "$SAM"
        train msa msa --base "$SAM" --init "$OUT/pretrain"
        train release release --init "$SAM"
        for one in $(ablations_of "$dim"); do
            case $one in
            no-pretraining) train "$one" msa --init "$SAM" ;;
            texts) train "$one" texts --base "$SAM" --init "$OUT/pretrain" \
                --set "prompts.texts=$OUT/texts-$name.h5" ;;
            *) train "$one" "$one" --base "$SAM" --init "$OUT/pretrain" ;;
            esac
        done
    done
}

evaluate() {
    local name dim one method
    score() { # score RUN METHOD WORD...
        local run=$1 method=$2
        shift 2
        line evaluate --config "$conf/evaluate-$name.yaml" --out "$OUT/scores/$name/$run" \
            --method "$method" --set "data.sets=$OUT/shards/$name" "$@" "${EVALUATE:-}"
    }
    for name in $sets; do
        dim=${name#*:} name=${name%:*}
        score sam SAM --model "$SAM" --clicks 1,3,10
        score medsam MedSAM --model "$OUT/medsam-$name" --clicks 1
        score msa MSA --model "$OUT/msa-$name" --clicks 1
        score release MSA-release --model "$OUT/release-$name" --clicks 1
        for one in $(ablations_of "$dim"); do
            if [ "$one" = texts ]; then
                score "$one" "MSA-$one" --model "$OUT/$one-$name" --clicks 1 --texts "$OUT/texts-$name.h5"
            else
                score "$one" "MSA-$one" --model "$OUT/$one-$name" --clicks 1
            fi
        done
        for method in ${MASKS:+"$MASKS/$name"/*/}; do
            [ -d "$method" ] || continue
            method=${method%/}
            score "${method##*/}" "${method##*/}" --masks "$method"
        done
    done
}

report() {
    local runs list
    list=$(printf ',table%s' "$@")
    runs=$(evaluate | sed 's/.* --out \([^ ]*\).*/\1/' | tr '\n' ' ')
    line report "$runs" --paper "${list#,}" --out "$OUT/report" --baseline "MSA" "${REPORT:-}"
}

case $stage in
shard | text | pretrain | finetune | evaluate) $stage ;;
report) report "$@" ;;
*) echo "there is no stage '$stage', expected shard, text, pretrain, finetune, evaluate or report" >&2 && exit 2 ;;
esac
