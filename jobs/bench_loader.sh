#!/bin/bash
# The loader against training, on one core: pictures a thread prepares per second, pictures a second that
# MAE on ViT-B consumes, and the share of its steps that waits for data.
#   jobs/bench_loader.sh BUILD [STEPS]     STEPS of 16 pictures, 4 unless given
build=$(cd "$1" && pwd)
steps=${2:-4}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

must() { "$@" >log 2>&1 || { cat log && exit 1; }; }
# Mean of a member over the steps but the first.
mean() { sed -n '2,$s/.*"'"$1"'":\([0-9.e+-]*\).*/\1/p' run/metrics.jsonl | awk '{ s += $1 } END { print s / NR }'; }

for set in "radimagenet 224" "isic 512"; do
    name=${set% *}
    must "$build/medgraft" phantom --dataset "$name" --count 200 --size "${set#* }" --out "$name"
    must "$build/medgraft" shard --dataset "$name" --root "$name" --out "shards-$name"
    line=$("$build/tests/bench_loader" "shards-$name") || exit 1
    must "$build/medgraft" pretrain --set data.sets="shards-$name" --set train.out=run \
        --set pretrain.w_emix=0 --set pretrain.w_shed=0 --set train.batch=16 --set train.leaves=1 --set train.steps="$steps" \
        --set pretrain.health_every=0 --set pretrain.pictures_every=0
    echo "$line $(mean samples_per_s) $(mean wait_data_share)" | awk -v set="$set" '{
        printf "loader %s px pictures_per_s %s training_per_s %.2f ratio %.0f wait_data_share %.5f\n",
            set, $7, $8, $7 / $8, $9 }'
    rm -rf run
done
