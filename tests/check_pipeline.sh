#!/bin/bash
# Every stage once, under a checker of memory: phantoms, shards, pretraining with three objectives,
# probe, fine-tuning of each kind, scores with clicks and boxes, report, inspection.
#   tests/check_pipeline.sh BUILD demo     the demo's sizes and settings, 3 steps a stage, 2 ranks
#   tests/check_pipeline.sh BUILD valgrind tiny sizes, one rank, medgraft under valgrind
. "$(dirname "$0")/check_lib.sh"
LIMIT_S=600

if [ "$2" = valgrind ]; then
    np=1 size=32 count=12 steps=2
    conf=$SOURCE/tests/tiny encoder=pretrain sam=finetune medsam=finetune msa=finetune batch=8
    cat >memcheck <<END
#!/bin/sh
exec valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \\
    --show-leak-kinds=definite --num-callers=30 --suppressions=$SOURCE/tests/valgrind.supp \\
    --suppressions=/usr/share/openmpi/openmpi-valgrind.supp $MEDGRAFT "\$@"
END
    chmod +x memcheck
    MEDGRAFT=$WORK/memcheck
else
    np=2 size=96 count=24 steps=3
    conf=$SOURCE/jobs/demo encoder=pretrain sam=sam medsam=medsam msa=msa batch=24
fi

stage() { # stage NAME ARGUMENT...: a command on all ranks must work
    local name=$1 start
    shift
    start=$(date +%s)
    if ranks $np "$@"; then
        ok "$name ($(($(date +%s) - start)) s)"
    else
        bad "$name" "exit code $code"
    fi
}

train() { # train NAME CONFIG COMMAND [SETTING...]
    local name=$1 config=$2
    shift 2
    stage "$name" "$@" --config "$conf/$config.yaml" --out "$name" --set train.steps=$steps \
        --set train.save_every=$steps
}

for kind in demo_ct demo_fundus; do
    stage "phantom $kind" phantom --dataset $kind --count $count --seed 1 --size $size --out raw/$kind
    stage "shard $kind" shard --dataset $kind --root raw/$kind --out shards/$kind
done
stage "inspect a set" inspect --verify shards/demo_ct
both=shards/demo_ct,shards/demo_fundus
train pretrain-sum $encoder pretrain --set data.sets=$both --set train.batch=$batch \
    --set pretrain.mode=sum --set pretrain.health_samples=8
train pretrain-split $encoder pretrain --set data.sets=$both --set train.batch=24 \
    --set pretrain.mode=split --set pretrain.pictures_every=$steps --set pretrain.health_every=0
stage probe probe --model pretrain-split --out probe --set data.sets=shards/demo_ct
train full $sam finetune --init pretrain-split --set data.sets=shards/demo_ct
train medsam $medsam finetune --init full --set data.sets=shards/demo_fundus --set train.mode=medsam
train msa $msa finetune --init full --set data.sets=shards/demo_fundus --set train.mode=msa \
    --set prompts.box_weight=1
# The same command again finds everything done.
train msa $msa finetune --init full --set data.sets=shards/demo_fundus --set train.mode=msa \
    --set prompts.box_weight=1
stage "evaluate" evaluate --model msa --out scores --set data.sets=shards/demo_fundus --part all \
    --clicks 1,3 --one-class --other-object --box --pictures 2 --replicates 100
stage "evaluate full" evaluate --model full --out scores-full --set data.sets=shards/demo_fundus \
    --part all --clicks 1,3 --one-class --pictures 0 --replicates 100
np=1
stage "report" report pretrain-sum full msa scores scores-full --out page
stage "inspect a run" inspect --verify msa
stage "inspect --hash" inspect --hash msa
finish
