#!/bin/bash
# The same bits on any number of ranks: shards, pretraining with its three objectives in every mode,
# fine-tuning, also of stacks with the depth branch, and their scores; on 3 ranks, where sums are those of the MPI library, the same within rounding.
#   tests/check_ranks.sh BUILD
. "$(dirname "$0")/check_lib.sh"

# Everything of metrics.jsonl but times and memory.
numbers() { sed 's/,"[a-z_]*_s":.*//; s/,"rss_mb".*//' "$1/metrics.jsonl"; }

# same NAME STAGE [SETTING...]: the stage on 1, 2, 4 and 8 ranks.
same() {
    local name=$1 stage=$2 want found n
    shift 2
    for n in 1 2 4 8; do
        if ! $stage $n "$name-$n" "$@"; then
            bad "$name on $n ranks" "exit code $code"
            continue
        fi
        found=$(hash_of "$name-$n")
        [ $n = 1 ] && want=$found
        numbers "$name-$n" >numbers-$n
        if [ -z "$found" ] || [ "$found" != "$want" ]; then
            bad "$name on $n ranks" "hash '$found', on 1 rank '$want'"
        elif ! cmp -s numbers-1 numbers-$n; then
            bad "$name on $n ranks" "metrics.jsonl differs: $(diff numbers-1 numbers-$n | sed -n 2p)"
        else
            ok "$name on $n ranks: $found"
        fi
    done
}

# loss RUN STEP
loss() { sed -n "s/^{\"step\":$2,.*\"loss\":\([^,]*\),.*/\1/p" "$1/metrics.jsonl"; }

# near NAME RUN OTHER STEP LIMIT: relative difference of the losses of a step.
near() {
    local gap
    gap=$(awk -v a="$(loss "$2" "$4")" -v b="$(loss "$3" "$4")" \
        'BEGIN { d = a - b; print (a > 0 && b > 0) ? (d < 0 ? -d : d) / a : "none" }')
    check "$1: step $4, losses differ by $gap" \
        awk -v gap="$gap" -v limit="$5" 'BEGIN { exit !(gap != "none" && gap <= limit) }'
}

fast() { # fast NAME STAGE STEPS [SETTING...]: 3 ranks beside 1
    local name=$1 stage=$2 steps=$3
    shift 3
    need $stage 1 "$name-exact" --set train.batch=24 "$@"
    check "$name on 3 ranks with train.reduce fast" \
        $stage 3 "$name-fast" --set train.batch=24 --set train.reduce=fast "$@"
    near "$name on 3 ranks" "$name-exact" "$name-fast" 1 1e-5
    near "$name on 3 ranks" "$name-exact" "$name-fast" "$steps" 1e-2
}

# Stacks of four slices; finetune with them instead of pictures.
stacks() { # stacks RANKS OUT [SETTING...]
    local n=$1 out=$2
    shift 2
    ranks "$n" finetune --config "$SOURCE/tests/tiny/finetune.yaml" --out "$out" \
        --set data.sets=shards/volumes --set model.slices=4 --set train.mode=msa \
        --set model.init=finetune-full-1 "$@"
}

# scored NAME MODEL [SETTING...]: the same scores and maps from 1, 2 and 4 ranks.
scored() {
    local name=$1 model=$2 n
    shift 2
    for n in 1 2 4; do
        need ranks $n evaluate --model "$model" --out "$name-$n" --set data.sets=shards/volumes \
            --part all --clicks 1,2 --volume stack,slice --pictures 3 "$@"
        [ $n = 1 ] && continue
        check "$name on $n ranks: the same rows" cmp "$name-1/cases.csv" "$name-$n/cases.csv"
        check "$name on $n ranks: the same maps" diff -r "$name-1/maps" "$name-$n/maps"
    done
}

tiny_data
need ranks 1 phantom --dataset amos --count 12 --seed 1 --size 32 --out raw/volumes
need ranks 1 shard --dataset amos --root raw/volumes --out shards/volumes --set 'amos.spacing=[]'
for n in 1 4; do
    check "shards on $n ranks" ranks $n shard --dataset demo_ct --root raw/ct --out shards/ct-$n
    check "shards on $n ranks: the same bytes" cmp shards/ct/00000.h5 shards/ct-$n/00000.h5
    check "shards on $n ranks: the same content" \
        test "$(hash_of shards/ct)" = "$(hash_of shards/ct-$n)"
done

same pretrain-sum pretrain
same pretrain-split pretrain --set pretrain.mode=split --set train.batch=24
same pretrain-rotate pretrain --set pretrain.mode=rotate
need pretrain 2 threads --set data.threads=3 --set data.ahead=4
check "3 reading threads" test "$(hash_of threads)" = "$(hash_of pretrain-sum-1)"
same finetune-full finetune
same finetune-medsam finetune --set train.mode=medsam --set model.init=pretrain-sum-1
same finetune-msa finetune --set train.mode=msa --set model.init=finetune-full-1
same finetune-boxes finetune --set prompts.box_weight=1 --set train.loss=dice_bce
same stacks stacks --set model.depth_branch=true
same stacks-alone stacks --set prompts.carry=false --set prompts.schedule=single
scored scores stacks-1
scored scores-alone stacks-1 --carry off
fast pretrain pretrain 12
fast finetune finetune 9 --set train.steps=9
finish
