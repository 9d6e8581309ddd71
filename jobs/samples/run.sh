#!/bin/sh
# The pipeline on a few real pictures: fundus, dermoscopy, CT, MR and ultrasound slices without labels,
# then lesions, nodules, nerves, vessels, optic discs and cups with masks. A check that real files go through, not a
# measurement: there are far too few pictures for that.
# usage: jobs/samples/run.sh [FOLDER OF THE SAMPLES]
set -eu
cd "$(dirname "$0")/../.."
samples=${1:-${MEDGRAFT_SAMPLES:-../shared/samples}}
out=${SAMPLES_OUT:-runs/samples}
ranks=${SAMPLES_RANKS:-2}
conf=jobs/samples
export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mpi() { mpirun --oversubscribe --bind-to none -n "$ranks" ./medgraft "$@"; }

[ -d "$samples" ] || { echo "skipped: there is no folder '$samples' with sample pictures"; exit 0; }

pack() { # NAME DATASET FOLDER [SETTING...]
    name=$1 dataset=$2 root=$3
    shift 3
    mpi shard --dataset "$dataset" --root "$samples/$root" --out "$out/shards/$name" "$@"
}
pack fundus eyepacs eyepacs-like
pack radimagenet radimagenet radimagenet-like
pack skin folder isic-unlabelled --set folder.images='{stem}.jpg'
pack isic isic isic2018 --set isic.year=2018 --set shard.long_side=512
pack ham folder ham10000 --set folder.images='HAM10000_images/{stem}.jpg' \
    --set folder.masks='HAM10000_segmentations_lesion_tschandl/{stem}_segmentation.png' \
    --set folder.labels='{255: lesion}'
pack tnscui tnscui tnscui-like
pack ddti ddti ddti-like
pack usgra folder usgra-seg --set folder.images='images/{stem}.png' \
    --set folder.masks='masks/{stem}.png' --set folder.labels='{1: nerve, 2: vessel}'
pack refuge refuge refuge-like # six of its validation part
soft='Training/GT/{stem}/SoftMap/{stem}' # shares of four experts: half of them make the mask
pack drishti folder drishti-gs --set folder.images='Training/Images/ALL/{stem}.png' --set folder.masks="[
    {pattern: '${soft}_ODsegSoftmap.png', label: optic disc},
    {pattern: '${soft}_cupsegSoftmap.png', label: optic cup}]"
# Volumes along three axis orders, with partly labelled scans (amos), the scan of amos_0481 again with other
# labels (btcv), two contrasts of four and labels stored as floats (brats), one of raw values (brain).
pack amos amos amos-like --set amos.modality=all --set 'amos.partial={amos_0482: [6]}' \
    --set 'amos.spacing=[3,3,0]'
pack btcv btcv btcv-like --set 'btcv.spacing=[]'
pack brats brats brats-like --set brats.edition=2015 --set 'brats.contrasts=[flair,t1ce,flair]'
pack brain folder brain-tumour-nrrd --set folder.images='brain1/{stem}_image.nii.gz' \
    --set folder.masks='brain1/{stem}_label.nii.gz' --set folder.labels='{1: tumour}'
for set in "$out"/shards/*; do
    ./medgraft inspect --verify "$set" >"$out/verified" || { cat "$out/verified"; exit 1; }
done

s=$out/shards
mpi pretrain --config $conf/pretrain.yaml --out "$out/pretrain" \
    --set data.sets="$s/fundus,$s/radimagenet,$s/skin"
mpi finetune --config $conf/finetune.yaml --init "$out/pretrain" --out "$out/model" \
    --set data.sets="$s/isic,$s/ham,$s/tnscui,$s/ddti,$s/usgra"
mpi finetune --config $conf/msa.yaml --init "$out/model" --out "$out/msa" --set data.sets="$s/usgra"
for part in train test; do
    mpi evaluate --model "$out/model" --out "$out/eval/model-$part" --part $part --clicks 1,3,10 --box \
        --method "SAM ($part)" --set data.sets="$s/isic,$s/ham,$s/tnscui,$s/ddti,$s/usgra"
    mpi evaluate --model "$out/msa" --out "$out/eval/msa-$part" --part $part --clicks 1 \
        --method "MSA ($part)" --set data.sets="$s/usgra"
done
# Discs and cups, which the model did not see in training: a click tells it what is meant.
mpi evaluate --model "$out/model" --out "$out/eval/model-eyes" --part all --clicks 1,3,10 --box \
    --method "SAM (discs and cups)" --set data.sets="$s/refuge,$s/drishti"
# Stacks: trained and scored on the same few scans, to see that it learns at all.
for set in amos brats; do
    mpi finetune --config $conf/volumes.yaml --init "$out/model" --out "$out/msa-$set" \
        --set data.sets="$s/$set"
    mpi evaluate --model "$out/msa-$set" --out "$out/eval/msa-$set" --part all --clicks 1,3 \
        --method "MSA ($set, as trained)" --set data.sets="$s/$set"
    mpi evaluate --model "$out/model" --out "$out/eval/model-$set" --part all --clicks 1,3 \
        --method "SAM ($set)" --set data.sets="$s/$set"
done
./medgraft report "$out/pretrain" "$out/model" "$out/msa" "$out"/eval/* --out "$out/report"
