"$MEDGRAFT" --help
