# The same encoder from one rank and from two; the same command goes on; both probes; mistakes.
"$MEDGRAFT" phantom --dataset demo_ct --count 60 --seed 5 --size 48 --out raw 2>log
"$MEDGRAFT" shard --dataset demo_ct --root raw --out set 2>>log
cat >tiny.yaml <<END
model: {size: custom, image: 32, patch: 8, dim: 16, depth: 1, heads: 2}
data: {sets: [set]}
train: {batch: 24, leaves: 8, steps: 3}
pretrain: {proj_dim: 8, decoder_dim: 16, decoder_depth: 1, decoder_heads: 2, pictures_every: 3}
END
"$MEDGRAFT" pretrain --config tiny.yaml --out one 2>>log
$MPIRUN -n 2 "$MEDGRAFT" pretrain --config tiny.yaml --out two 2>>log
"$MEDGRAFT" inspect one --hash >one.hash
"$MEDGRAFT" inspect two --hash | cmp - one.hash && echo same weights
(cd one && ls && ls checkpoints pictures)
"$MEDGRAFT" pretrain --config tiny.yaml --out one 2>&1 | grep resume

"$MEDGRAFT" probe --config tiny.yaml --model one --out probe 2>>log | tee one.txt | cut -c 1-35
$MPIRUN -n 2 "$MEDGRAFT" probe --config tiny.yaml --model two 2>>log | cmp - one.txt && echo same scores
grep -c macro_auroc probe/probe.json

"$MEDGRAFT" pretrain --config tiny.yaml
"$MEDGRAFT" pretrain --config tiny.yaml --out none --leaves 6
"$MEDGRAFT" pretrain --config tiny.yaml --out none --mode split --batch 16
"$MEDGRAFT" pretrain --config tiny.yaml --out one --tau 0.3
"$MEDGRAFT" probe --config tiny.yaml
"$MEDGRAFT" probe --config tiny.yaml --model none
ls
"$MEDGRAFT" shard --dataset folder --root raw --out plain 2>>log
"$MEDGRAFT" probe --model one --set data.sets=plain
