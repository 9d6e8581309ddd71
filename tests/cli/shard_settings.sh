# Every mistake is named, and nothing is written.
"$MEDGRAFT" shard --dataset ict --root raw --out set
"$MEDGRAFT" shard --dataset isic --out set
mkdir raw
$MPIRUN -n 2 "$MEDGRAFT" shard --dataset demo_ct --root raw --out set
"$MEDGRAFT" inspect raw
ls
"$MEDGRAFT" inspect
