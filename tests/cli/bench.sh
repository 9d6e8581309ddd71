"$MEDGRAFT" bench --set bench.run=attention,conv
