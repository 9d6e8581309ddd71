$MPIRUN -n 2 "$MEDGRAFT" doctor
