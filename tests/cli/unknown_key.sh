# One error from one rank, exit code 2 on all.
printf 'phantom:\n  dataset: isic\n  cuont: 3\n' >a.yaml
$MPIRUN -n 2 "$MEDGRAFT" phantom --config a.yaml --out x
