# Two evaluations of three cases; the page is written beside the text.
header=set,protocol,case,class,name,dice,iou,hd95,hd95_pooled,assd,nsd,status,clicks,noc80,noc85,noc90,failed80,failed85,failed90,dice_after,iou_after
for run in SAM MSA; do
    mkdir $run
    echo '{"kind": "scores", "method": "'$run'", "nsd_tolerance": 2, "sets": [{"name": "isic", "unit": "px", "phantom": true}]}' >$run/summary.json
    echo $header >$run/cases.csv
done
for case in 1 2 3; do
    echo "isic,1 click,case $case,1,lesion,0.$case,0.0$case,$case,$case,$case,0.$case,0,1,,,,,,,," >>SAM/cases.csv
    echo "isic,1 click,case $case,1,lesion,0.8,0.7,2,2,1,0.9,0,1,,,,,,,," >>MSA/cases.csv
done
"$MEDGRAFT" report SAM MSA --out page && grep -c phantom page/index.html
