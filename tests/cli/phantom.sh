# The same files on one rank and on three, and the defects named by one of them.
"$MEDGRAFT" phantom --dataset tnscui --count 8 --seed 5 --size 64 --defects true --out one
$MPIRUN -n 3 "$MEDGRAFT" phantom --dataset tnscui --count 8 --seed 5 --size 64 --defects true --out three
diff -r -x PHANTOM one three && find one -type f | LC_ALL=C sort
