# Texts of one's own through CLIP's files (a tiny CLIP): from a corpus to training, scores and a mask.
golden=$SOURCE/tests/golden
config=$golden/clip_text_tiny_config.json
words="--merges $golden/merges.txt --vocab $golden/vocab.json"
{
    printf '# own texts: empty lines and remarks are left out\n\n'
    printf 'The lesion of the skin.\tlesion\nthe dark spot\tlesion\r\n\n'
    printf 'the patient%ss naevus\tlesion\n\n' "’"
    printf 'Outline%s.\tlesion\n' "$(printf ' the spot%.0s' $(seq 80))" # more than 77 tokens
    printf 'what is darker than the skin\tlesion\n\n' # the fifth: held out
} >own.txt
"$MEDGRAFT" text --corpus own.txt --weights "$golden/clip_text_tiny.pth" --text.config "$config" $words --out own.h5
"$MEDGRAFT" text --corpus own.txt --weights "$golden/clip_text_tiny.safetensors" --text.config "$config" $words --out hf.h5 2>log | tail -n 1
"$MEDGRAFT" text --corpus own.txt --weights "$golden/clip_text_tiny.pth" --text.config "$config" $words --out no.h5 --strict || echo "exit $?"
"$MEDGRAFT" text --corpus own.txt --out stand_in.h5 >log 2>&1

"$MEDGRAFT" phantom --dataset isic --count 6 --seed 1 --out raw >log
"$MEDGRAFT" shard --dataset isic --root raw --out packed >log 2>&1
"$MEDGRAFT" finetune --out run --sets packed --texts own.h5 --size custom --image 32 --patch 4 --dim 32 --depth 1 \
    --heads 2 --model.window 4 --global 0 --prompt_dim 32 --mask_in 4 --decoder_heads 2 --decoder_mlp 64 --decoder_down 1 \
    --iou_hidden 16 --mode full --batch 2 --leaves 2 --steps 3 --text_weight 1 --click_weight 0 >log 2>&1 || cat log
"$MEDGRAFT" evaluate --model run --out scores --sets packed --part all --texts own.h5 --clicks 1 >log 2>&1 || cat log
ls scores
picture=$(find raw -name '*.jpg' | sort | head -n 1)
"$MEDGRAFT" predict "$picture" --model run --text "The dark spot" --texts own.h5 --out one.png 2>log
"$MEDGRAFT" predict "$picture" --model run --text "the dark spot" --weights "$golden/clip_text_tiny.pth" --predict.config "$config" $words --out two.png 2>log
cmp one.png two.png && echo same mask
"$MEDGRAFT" predict "$picture" --model run --text "something new" --weights "$golden/clip_text_tiny.pth" --predict.config "$config" $words --out new.png 2>log
"$MEDGRAFT" predict "$picture" --model run --text "the darc spot" --texts own.h5 --out no.png || echo "exit $?"
"$MEDGRAFT" predict "$picture" --model run --text "the dark spot" --texts stand_in.h5 --out no.png || echo "exit $?"
"$MEDGRAFT" evaluate --model run --out no --sets packed --texts stand_in.h5 || echo "exit $?"
