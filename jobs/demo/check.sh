#!/bin/sh
# Hold the demo's results against the levels that its recipe reaches with any seed tried:
# jobs/demo/check.sh REPORT-TEXT PRETRAIN-METRICS MSA-LOG. One line each; exit code 1 if one fails.
text=$1 metrics=$2 log=$3
failed=0

dice() { # dice SET METHOD: the Dice column of that line
    awk -v set="$1" -v method="$2" '
        / \(phantom\), distances/ { inside = $1 == set }
        inside && index($0, method " ") == 1 {
            for (i = 1; i <= NF; i++) if ($i == "phantom") { print $(i + 2); exit }
        }' "$text"
}
line() { # line WHAT VALUE OPERATOR LIMIT
    if awk -v a="$2" -v b="$4" -v op="$3" 'BEGIN {
        if (a == "") exit 1
        exit !(op == ">=" ? a + 0 >= b + 0 : a + 0 < b + 0) }'; then
        printf 'ok      %-46s %7s  (%s %s)\n' "$1" "$2" "$3" "$4"
    else
        printf 'FAILED  %-46s %7s  (%s %s)\n' "$1" "${2:-none}" "$3" "$4"
        failed=1
    fi
}
minus() { awk -v a="$1" -v b="$2" 'BEGIN { if (a != "" && b != "") printf "%+.3f", a - b }'; }
# Mean of a key over the last 20 steps.
tail_mean() {
    grep '"step"' "$metrics" | tail -n 20 | sed -n "s/.*\"$1\":\([0-9.e+-]*\).*/\1/p" |
        awk '{ sum += $1; n++ } END { if (n) printf "%.3f", sum / n }'
}

sam1=$(dice fundus-test "SAM, 1 click")
sam3=$(dice fundus-test "SAM, 3 clicks")
sam10=$(dice fundus-test "SAM, 10 clicks")
msa=$(dice fundus-test "MSA, 1 click")
line "MSA - SAM, 1 click, new kind (phantom)" "$(minus "$msa" "$sam1")" ">=" 0.15
line "share of parameters trained in MSA, %" \
    "$(sed -n 's/.*trained [0-9]* (\([0-9.]*\) %).*/\1/p' "$log" | tail -n 1)" "<" 20
line "SAM, 3 clicks - 1 click, new kind (phantom)" "$(minus "$sam3" "$sam1")" ">=" 0.001
line "SAM, 10 clicks - 1 click, new kind (phantom)" "$(minus "$sam10" "$sam1")" ">=" 0.01
line "SAM, 10 clicks - 3 clicks, new kind (phantom)" "$(minus "$sam10" "$sam3")" ">=" -0.01
line "MSA - MedSAM, 1 click (phantom)" \
    "$(minus "$msa" "$(dice fundus-test "MedSAM, 1 click")")" ">=" -0.07
line "SAM, 1 click, its own kind (phantom)" "$(dice ct-test "SAM-source, 1 click")" ">=" 0.60
line "MSA, click in another object (phantom)" "$(dice fundus-test "MSA, other object")" "<" 0.10
line "organs by text alone (phantom)" "$(dice organs-test "MSA, stand-in texts, text ")" ">=" 0.60
line "the same, texts untrained (phantom)" "$(dice organs-test "the same, untrained, text ")" "<" 0.20
line "MAE loss at the end" "$(tail_mean loss_mae)" "<" 0.80
line "e-Mix loss at the end" "$(tail_mean loss_emix)" "<" 2.3
line "ShED loss at the end" "$(tail_mean loss_shed)" "<" 0.45
exit $failed
