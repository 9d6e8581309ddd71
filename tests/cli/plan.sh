"$MEDGRAFT" plan finetune --set model.size=vit_b --batch 8 --ranks 4 --samples 1000 --gflops 200 --gbytes-per-s 1
"$MEDGRAFT" plan pretrain --ranks 3
