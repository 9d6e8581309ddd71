# A paper's table beside one line of phantoms and one of nothing; percent where the paper has percent.
header=set,protocol,case,class,name,dice,iou,hd95,hd95_pooled,assd,nsd,status,clicks,noc80,noc85,noc90,failed80,failed85,failed90,dice_after,iou_after
mkdir MSA
echo '{"kind": "scores", "method": "MSA", "sets": [{"name": "tnscui", "unit": "px", "phantom": true}]}' >MSA/summary.json
echo $header >MSA/cases.csv
echo "tnscui,1 click,a,1,nodule,0.8,0.7,2,2,1,0.9,0,1,,,,,,,," >>MSA/cases.csv
"$MEDGRAFT" report MSA --out '' --paper table3 | tail -n 25
"$MEDGRAFT" report --out '' --paper table2 | grep -c 'not measured'
"$MEDGRAFT" report --out '' --paper table4
