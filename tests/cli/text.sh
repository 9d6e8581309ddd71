# Texts are embedded by the stand-in, the same way each time; mistakes.
"$MEDGRAFT" text --corpus "$SOURCE/finetune/texts/skin.txt" --out one.h5
"$MEDGRAFT" text --corpus "$SOURCE/finetune/texts/skin.txt" --out two.h5 2>log | tail -n 1
cmp one.h5 two.h5 && echo same file
printf 'The lung is dark.\tlung\n' >own.txt
"$MEDGRAFT" text --corpus own.txt --out own.h5
"$MEDGRAFT" text --corpus own.txt --targets lung --out own.h5 2>log | grep target
"$MEDGRAFT" text --corpus own.txt
"$MEDGRAFT" text --corpus own.txt --weights clip.pt --out own.h5
"$MEDGRAFT" text --out own.h5
"$MEDGRAFT" text --corpus none.txt --out own.h5
ls
