"$MEDGRAFT" docter
