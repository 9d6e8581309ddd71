#!/bin/bash
# Sharding against the same work in Python (jobs/bench_shard.py: Pillow, h5py, zstandard), one process per core:
#   jobs/bench_shard.sh PROGRAM [ROUNDS]
# On phantoms of RadImageNet (grey PNG of 224 and 512 px) and of EyePACS (JPEG of 3888 x 3110 and alike). The two
# run in turn, ROUNDS (3) times; of each pair the ratios of wall and of processor time are taken, and the median
# pair is printed. Needs python3 with PIL, h5py and zstandard; without them it says so and ends.
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
rounds=${2:-3}
here=$(cd "$(dirname "$0")" && pwd)
cores=$(nproc)
python=$(command -v /usr/bin/python3 || command -v python3) &&
    "$python" -c 'import PIL, h5py, zstandard' 2>/dev/null || {
    echo "no python3 with PIL, h5py and zstandard: sharding is not compared" >&2
    exit 0
}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

phantom() { # phantom DATASET OUT COUNT SIZE
    mpirun --oversubscribe --bind-to none -n "$cores" "$program" phantom --dataset "$1" --out "$2" \
        --count "$3" --size "$4" 2>log || { cat log && exit 1; }
}
medgraft() { # medgraft DATASET ROOT OUT
    mpirun --oversubscribe --bind-to none -n "$cores" "$program" shard --dataset "$1" --root "$2" --out "$3"
}

# clock COMMAND...: "wall cpu" in seconds
clock() {
    local TIMEFORMAT='%R %U %S'
    { time "$@" >log 2>&1 || echo failed; } 2>&1 | tail -n 1 | awk '{ print $1, $2 + $3 }'
    ! grep -qi 'error\|traceback' log || { cat log >&2 && exit 1; }
}

# compare NAME DATASET ROOT PEER-ARGUMENT...
compare() {
    local name=$1 dataset=$2 root=$3
    shift 3
    for _ in $(seq "$rounds"); do
        rm -rf own peer
        echo "$(clock medgraft "$dataset" "$root" own) \
            $(clock "$python" "$here/bench_shard.py" "$root" peer "$cores" "$@")"
    done | awk '{ print $3 / $1, $4 / $2, $0 }' | sort -k 2 -g | awk -v name="$name" -v peer="$*" '
        { line[NR] = $0 }
        END { split(line[int((NR + 1) / 2)], f, " ")
              printf "shard %s peer %s seconds %s cpu_s %s peer_seconds %s peer_cpu_s %s ratio %.2f cpu_ratio %.2f\n",
                  name, peer, f[3], f[4], f[5], f[6], f[1], f[2] }'
}

phantom radimagenet png224 6000 224
phantom radimagenet png512 1000 512
phantom eyepacs jpeg 16 3888
for file in jpeg/*/*.jpeg; do # four names each, so that starting up weighs less
    for i in 1 2 3; do ln "$file" "${file%/*}/$i${file##*/}"; done
done
for packer in zstd gzip; do
    compare "png 224" radimagenet png224 grey $packer
    compare "png 512" radimagenet png512 grey $packer
done
compare "jpeg 3888" eyepacs jpeg eye zstd
compare "jpeg 3888" eyepacs jpeg eye zstd draft
