# Every case opened: a table on stdout, what is wrong named, exit codes; the same on three ranks.
"$MEDGRAFT" phantom --dataset btcv --count 9 --seed 5 --size 32 --out raw 2>log
"$MEDGRAFT" check-data --dataset btcv --root raw 2>>log
echo "exit $?"
rm raw/RawData/Training/label/label0002.nii.gz
head -c 3000 raw/RawData/Training/img/img0003.nii.gz >"cut"
mv cut raw/RawData/Training/img/img0003.nii.gz
"$MEDGRAFT" check-data --dataset btcv --root raw --rows odd 2>err
echo "exit $?"
tail -n 2 err
$MPIRUN -n 3 "$MEDGRAFT" check-data --dataset btcv --root raw --rows odd 2>>log | cmp - <("$MEDGRAFT" check-data --dataset btcv --root raw --rows odd 2>>log) && echo same table
"$MEDGRAFT" check-data --dataset brats --root raw
