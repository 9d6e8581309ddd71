# A preset is seen in the settings of the run, and what is set by itself wins; the second figure is written.
"$MEDGRAFT" phantom --dataset demo_organs --count 4 --seed 1 --size 48 --out raw 2>log
"$MEDGRAFT" shard --dataset demo_organs --root raw --out set 2>log
set -- --set model.size=custom --set model.image=32 --set model.patch=4 --set model.dim=16 \
    --set model.depth=1 --set model.heads=2 --set model.global=0 --set model.prompt_dim=16 \
    --set model.mask_in=4 --set model.decoder_heads=2 --set model.decoder_mlp=16 \
    --set model.iou_hidden=8 --set train.steps=1 --set train.batch=2 --set train.leaves=1 \
    --set data.sets=set --set data.part=all
"$MEDGRAFT" finetune "$@" --preset release --adapter-init zero --out run 2>log
grep -E '  (adapter_|window_cut|resize|decoder_adapters|preset|decoder:|loss|rate|warmup|decay|schedule|output)' run/config.yaml
"$MEDGRAFT" evaluate --model run --out scores --set data.sets=set --part all --clicks 1 --msa-score true --replicates 0 2>log
head -n 1 scores/cases.csv | tr , '\n' | tail -n 2
