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
steps() { # steps PRECISION [MORE]
    for run in "encoder" "msa" ${2:-}; do
        "$program" bench --set bench.run="$run" --set bench.precision="$1" | grep '^step' | tee -a "$result"
    done
}
steps float32
bf16=$(grep -o 'bf16 [a-z0-9_]*' "$result" | head -n 1)
[ "$bf16" = "bf16 none" ] || steps bf16 mae

[ -n "$peers" ] || exit 0
python=$(command -v /usr/bin/python3 || command -v python3) && "$python" -c 'import torch' 2>/dev/null || {
    echo "no python3 with torch: peers are not measured" >&2
    exit 0
}

# field NAME FILE-LINE...: the word after NAME
field() {
    echo "$2" | awk -v name="$1" '{ for (i = 1; i < NF; i++) if ($i == name) print $(i + 1) }'
}
ratio() { # ratio STEP PRECISION PEER-SECONDS
    own=$(field seconds "$(grep "^step $1 .*leaves 1 precision $2 " "$result" | head -n 1)")
    awk -v name="$1" -v how="$2" -v peer="$3" -v own="$own" \
        'BEGIN { printf "ratio %s %s torch_seconds %s medgraft_seconds %s ratio %.2f\n", name, how, peer, own, peer / own }'
}
peer() { # peer STEP PRECISION FIELD SCRIPT ARGUMENTS...
    step=$1 precision=$2 field=$3 script=$4
    shift 4
    line=$("$python" "$peers/$script" "$@") && echo "$line" &&
        ratio "$step" "$precision" "$(field "$field" "$line")"
}

peer mae float32 step_s mae_step.py 16 "$threads" fp32 3
peer encoder_forward float32 s msa_step.py 1024 "$threads" fp32 1 encode
peer msa float32 s msa_step.py 1024 "$threads" fp32 1
[ "$bf16" = "bf16 none" ] && exit 0
peer mae bf16 step_s mae_step.py 16 "$threads" bf16 3
peer encoder_forward bf16 s msa_step.py 1024 "$threads" bf16 1 encode
peer msa bf16 s msa_step.py 1024 "$threads" bf16 1
