"$MEDGRAFT" doctor --verbose
