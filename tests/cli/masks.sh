# Masks of another program: pictures with values of their own, one of them missing; then a report.
"$MEDGRAFT" phantom --dataset tnscui --count 6 --seed 1 --size 48 --out raw >/dev/null
"$MEDGRAFT" shard --dataset tnscui --root raw --out shards/tnscui >/dev/null
mkdir masks
cp raw/*/mask/*.PNG masks
rm "$(ls masks/* | head -n 1)"
"$MEDGRAFT" evaluate --masks masks --method other --out scores --part all --pictures 1 \
    --labels '{255: nodule}' --set data.sets=shards/tnscui
"$MEDGRAFT" report scores --out ''
ls scores/pictures
"$MEDGRAFT" evaluate --masks masks --method other --out wrong --part all --set data.sets=shards/tnscui
