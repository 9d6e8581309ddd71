# The same set on one rank and on three; stopped work goes on; a flipped byte is named by item.
"$MEDGRAFT" phantom --dataset demo_ct --count 70 --seed 5 --size 48 --out raw 2>log
"$MEDGRAFT" shard --dataset demo_ct --root raw --out one 2>>log
$MPIRUN -n 3 "$MEDGRAFT" shard --dataset demo_ct --root raw --out three 2>>log
"$MEDGRAFT" inspect one --hash >one.hash
"$MEDGRAFT" inspect three --hash | cmp - one.hash && echo same content
for f in one/*.h5; do cmp "$f" "three/${f#one/}"; done

rm three/index.json three/00001.h5
touch three/00001.h5.partial
"$MEDGRAFT" shard --dataset demo_ct --root raw --out three 2>&1 | grep -o 'packed [0-9]*'
ls three
"$MEDGRAFT" inspect three --verify | grep -E '^(kind|dataset|items|labelled|shards|verified) '

printf '\377\377\377\377' | dd of=three/00002.h5 bs=1 seek=5000 conv=notrunc 2>>log
"$MEDGRAFT" inspect three --verify
