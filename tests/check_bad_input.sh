#!/bin/bash
# Bad input on 2 ranks: each kind has one clear error, a clean end of all ranks and its exit code.
#   tests/check_bad_input.sh BUILD
. "$(dirname "$0")/check_lib.sh"
LIMIT_S=60

# refused NAME CODE TEXT: the last command ended with this code after one error, which has this text.
refused() {
    if [ "$code" -ne "$2" ]; then
        bad "$1" "exit code $code, expected $2"
    elif [ "$(grep -c '^error: ' "$log")" -ne 1 ]; then
        bad "$1" "$(grep -c '^error: ' "$log") errors, expected one"
    elif ! grep '^error: ' "$log" | grep -qF -- "$3"; then
        bad "$1" "no error with '$3'"
    elif grep -q 'MPI_ABORT\|exited on signal' "$log"; then
        bad "$1" "the ranks were killed"
    else
        ok "$1"
    fi
}

# accepted NAME TEXT: the last command ended well, without an error, and said this.
accepted() {
    if [ "$code" -ne 0 ]; then
        bad "$1" "exit code $code, expected 0"
    elif grep -q '^error: ' "$log"; then
        bad "$1" "an error"
    elif ! grep -qF -- "$2" "$log"; then
        bad "$1" "nothing says '$2'"
    else
        ok "$1"
    fi
}

tiny_data
need pretrain 2 good
good=$(hash_of good)

# --- pictures and masks

need ranks 2 phantom --dataset ham10000 --count 8 --seed 5 --size 64 --out raw/ham
cut=$(find raw/ham -name '*.jpg' | sort | sed -n 3p)
truncate -s $(($(stat -c %s "$cut") / 2)) "$cut"
ranks 2 shard --dataset ham10000 --root raw/ham --out shards/ham
accepted "truncated JPEG is skipped" "skipped '${cut#raw/ham/}': cannot decode JPEG"
check "truncated JPEG is in the index" grep -qF "\"name\": \"${cut#raw/ham/}\"" shards/ham/index.json
check "the other pictures are there" grep -q '"items": 7,' shards/ham/index.json

for size in 64 48; do
    need ranks 1 phantom --dataset isic --count 8 --seed 6 --size $size --out raw/isic$size
done
mask=$(cd raw/isic64 && find . -name '*.png' | sort | sed -n 4p)
cp "raw/isic48/$mask" "raw/isic64/$mask"
ranks 2 shard --dataset isic --root raw/isic64 --out shards/isic
accepted "mask of another size is skipped" "mask '${mask#./}' is 37 x 48, the picture is 49 x 64"

ranks 2 shard --dataset folder --root raw/ct --out shards/some \
    --set 'folder.masks=masks/{stem}.png' --set 'folder.labels={1: one, 2: two}'
accepted "mask with a label that is not in the list is skipped" "expected 0, 1, 2"
ranks 2 shard --dataset folder --root raw/ct --out shards/none \
    --set 'folder.masks=masks/{stem}.png' --set 'folder.labels={1: one}'
refused "no mask with the labels of the list" 1 "raw/ct"
check "no set is left" test ! -e shards/none/index.json

ranks 2 shard --dataset folder --root raw/ct --out shards/none --set 'folder.images=pics/{stem}.jpg'
refused "0 files matched" 1 "no file in 'raw/ct' matches 'pics/{stem}.jpg'; nearest of"

# --- settings

printf 'train:\n  batch_size: 8\n' >unknown.yaml
ranks 2 pretrain --config unknown.yaml --out none --set data.sets=shards/ct
refused "unknown key" 2 "'train.batch_size' in 'unknown.yaml' at line 2, column 3; the nearest is 'train.batch'"
pretrain 3 none
refused "3 ranks, 8 leaves" 2 "3 ranks do not divide train.leaves 8 (nearest number of ranks: 4"
finetune 2 none --set train.leaves=1
refused "2 ranks, 1 leaf" 2 "2 ranks do not divide train.leaves 1 (nearest number of ranks: 1"
pretrain 2 none --set train.batch=64
refused "batch larger than the data" 2 "train.batch is 64, but there are only 48 samples"
ranks 2 shard --dataset ham1000 --root raw/ham --out shards/none
refused "unknown data set" 2 "no data set 'ham1000'"
pretrain 2 good --set train.lr=2e-3
refused "another setting for a run that is there" 2 "setting 'train.lr' is 0.002"

# --- checkpoints

newest=checkpoints/step-00000012.h5
cp -r good cut
truncate -s $(($(stat -c %s cut/$newest) / 2)) cut/$newest
pretrain 2 cut
accepted "checkpoint cut short: the one before is used" "step-00000009.h5: going on at step 9"
check "its bits are those of an unbroken run" test "$(hash_of cut)" = "$good"
check "it has every step once" every_step cut 12

# full_disk WHERE COMMAND...: the command ends at step 9, when two checkpoints were written.
full_disk() {
    local name=$1 run=$2
    refused "$name" 1 "step-00000009.h5.partial': "
    check "$name: the checkpoint before is whole" "$MEDGRAFT" inspect --verify "$run"
    check "$name: nothing unfinished is left" test ! -e "$run/checkpoints/step-00000009.h5.partial"
}
afterwards() {
    check "$1: with room the same command ends with the same bits" test "$(hash_of "$2")" = "$good"
    check "$1: every step once" every_step "$2" 12
}

# Room for two checkpoints on a disk of its own; without the right to mount it the next check stands.
if mkdir disk && mount -t tmpfs -o size=$(($(stat -c %s good/$newest) * 5 / 2)) none disk 2>"$log"; then
    trap 'umount -l "$WORK/disk"; cleanup' EXIT
    pretrain 2 disk/run
    full_disk "full disk" disk/run
    mount -o remount,size=64m disk
    pretrain 2 disk/run
    afterwards "full disk" disk/run
fi

# The same through a limit of file sizes, which metrics and text files stay below. The limit would
# also meet the shared memory of the ranks, so that they talk by TCP.
export OMPI_MCA_btl=tcp,self
limit_kb=$(($(stat -c %s good/$newest) / 2 / 1024))
mpi 2 sh -c 'ulimit -f '$limit_kb'; exec "$@"' - "$MEDGRAFT" pretrain \
    --config "$SOURCE/tests/tiny/pretrain.yaml" --out limit \
    --set data.sets=shards/ct,shards/fundus >"$log" 2>&1
code=$?
unset OMPI_MCA_btl
refused "file larger than allowed" 1 "step-00000003.h5.partial': "
pretrain 2 limit
afterwards "file larger than allowed" limit

# --- shards

cp -r shards/ct shards/flip
at=$(($(LC_ALL=C grep -aboP '\x28\xb5\x2f\xfd' shards/flip/00000.h5 | sed -n 5p | cut -d: -f1) + 60))
byte=$(od -An -tu1 -j $at -N 1 shards/flip/00000.h5)
printf "\\$(printf %o $((byte ^ 16)))" | dd of=shards/flip/00000.h5 bs=1 seek=$at conv=notrunc status=none
"$MEDGRAFT" inspect --verify shards/flip >"$log" 2>&1
check "flipped bit is found by inspect --verify" test $? -eq 1
check "it names file and item" grep -q "images/ct_0000.*'shards/flip/00000.h5' is damaged" "$log"
damaged=$(sed -n "s/.*item [0-9]* '\([^']*\)'.*/\1/p" "$log")
for stage in pretrain finetune; do
    $stage 2 flip-$stage --set data.sets=shards/flip
    refused "flipped bit in $stage" 1 "'shards/flip/00000.h5' is damaged: "
    check "flipped bit in $stage: the item is named" grep -qF "item '$damaged' of set" "$log"
done

# --- numbers

pretrain 2 nan --set train.lr=10 --set optimizer.decay=1 --set train.warmup=0 --set train.save_every=1
refused "NaN gradient" 1 "the gradient norm is nan at step"
check "NaN gradient: the last checkpoint is whole" "$MEDGRAFT" inspect --verify nan
# Without eps a weight of zero gradient becomes NaN, here the heads of objectives that wait their turn.
pretrain 2 loss --set pretrain.mode=rotate --set optimizer.eps=0
refused "NaN loss" 1 "loss is nan at step 1 of epoch 0; samples of this leaf: 'ct/images/"
check "NaN loss: no record of it" every_step loss 1
pretrain 2 weights --set pretrain.mode=rotate --set optimizer.eps=0 --set train.save_every=1
refused "NaN weight is not saved" 1 "has a value nan after step 1; the last checkpoint is kept"
finish
