# Masks of a volume and of a picture with SAM's own file (a tiny SAM): what is written and said, and what is
# wrong.
model=$SOURCE/tests/golden/sam_tiny.pth
"$MEDGRAFT" phantom --dataset amos --count 1 --size 96 --seed 1 --out raw >log 2>&1
"$MEDGRAFT" phantom --dataset isic --count 1 --seed 1 --out skin >log 2>&1
ct=raw/amos22/imagesTr/amos_0001.nii.gz
picture=$(find skin -name '*.jpg' | sort | head -n 1)
"$MEDGRAFT" predict $ct --model "$model" --clicks '40,50,10 41,52,11,0' --overlay sheet.png --probability p.nii.gz
printf '{"targets": [{"name": "one", "clicks": [[9, 9]]}, {"name": "two", "box": [2, 3, 20, 30]}]}' >two.json
"$MEDGRAFT" predict "$picture" --model "$model" --prompts two.json --probability p.png --overlay look.png
rm -f log *.json
ls
printf '{"targets": [{"name": "one", "clicks": [[9, 9, 1, 1]]}]}' >bad.json
"$MEDGRAFT" predict "$picture" --model "$model" --prompts bad.json || echo "exit $?"
"$MEDGRAFT" predict "$picture" --model "$model" --clicks 9999,9 || echo "exit $?"
"$MEDGRAFT" predict $ct --model "$model" --clicks 40,50,99 || echo "exit $?"
"$MEDGRAFT" predict $ct --model "$model" --clicks 40,50 || echo "exit $?"
"$MEDGRAFT" predict $ct --model "$model" --clicks 40,50,10 --out mask.png || echo "exit $?"
"$MEDGRAFT" predict $ct $ct --model "$model" --clicks 40,50,10 || echo "exit $?"
"$MEDGRAFT" predict "$picture" --model "$model" --clicks 9,9 --coordinates mm || echo "exit $?"
