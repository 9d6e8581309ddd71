#!/bin/sh
# Measure this machine: jobs/bench.sh PROGRAM [PEERS]
# Runs `medgraft bench`; where PEERS is a folder with PyTorch scripts of the same steps (mae_step.py,
# msa_step.py) and python3 has torch, runs those too, one after the other, and prints the ratios.
program=$1
peers=$2
threads=${OMP_NUM_THREADS:-$(nproc)}
export OMP_NUM_THREADS="$threads" OPENBLAS_NUM_THREADS=1
result=$(mktemp)
trap 'rm -f "$result"' EXIT

"$program" bench --set bench.run=attention,pointwise,mae,objectives | tee "$result" || exit 1
# By itself, so that its peak memory is its own.
"$program" bench --set bench.run=encoder | grep '^step' | tee -a "$result"
"$program" bench --set bench.run=msa | grep '^step' | tee -a "$result"

[ -n "$peers" ] || exit 0
python=$(command -v /usr/bin/python3 || command -v python3) && "$python" -c 'import torch' 2>/dev/null || {
    echo "no python3 with torch: peers are not measured" >&2
    exit 0
}

# field NAME FILE-LINE...: the word after NAME
field() {
    echo "$2" | awk -v name="$1" '{ for (i = 1; i < NF; i++) if ($i == name) print $(i + 1) }'
}
ratio() { # ratio STEP PEER-SECONDS
    own=$(field seconds "$(grep "^step $1 .*leaves 1 " "$result")")
    awk -v name="$1" -v peer="$2" -v own="$own" \
        'BEGIN { printf "ratio %s torch_seconds %s medgraft_seconds %s ratio %.2f\n", name, peer, own, peer / own }'
}

line=$("$python" "$peers/mae_step.py" 16 "$threads" fp32 3) && echo "$line" &&
    ratio mae "$(field step_s "$line")"
line=$("$python" "$peers/msa_step.py" 1024 "$threads" fp32 1 encode) && echo "$line" &&
    ratio encoder_forward "$(field s "$line")"
line=$("$python" "$peers/msa_step.py" 1024 "$threads" fp32 1) && echo "$line" &&
    ratio msa "$(field s "$line")"
