# The tree of a set that has several; a name that it does not have.
"$MEDGRAFT" phantom --dataset refuge --layout refuge2 --count 5 --size 32 --out two &&
    find two -type f | LC_ALL=C sort
"$MEDGRAFT" phantom --dataset riga --layout kaggle --count 2 --out none
