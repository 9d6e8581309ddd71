# Read by tests/check_*.sh with BUILD as first argument: an empty working folder, tiny data, ranks with
# a time limit, one line for each check, "N passed, N failed" and the exit code at the end.
SOURCE=$(cd "$(dirname "$0")/.." && pwd)
MEDGRAFT=$(cd "$1" && pwd)/medgraft
WORK=${WORK:-$(mktemp -d)}
log=$WORK/log
passed=0
failed=0
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export TMPDIR=$WORK OMPI_MCA_btl_vader_backing_directory=$WORK # so that a killed run leaves nothing
unset MG_FAULT
export MG_LEAKS_WITHOUT_MPI=1 # MODE=san, see tests/run_cli.sh
cleanup() { rm -rf "$WORK"; }
trap cleanup EXIT
trap 'exit 1' INT TERM
cd "$WORK" || exit 1

mpi() { timeout -k 5 "${LIMIT_S:-120}" mpirun --oversubscribe --bind-to none -n "$@"; }

# ranks N ARGUMENT...: medgraft on N ranks; what they say goes to $log, the exit code to $code.
ranks() {
    local n=$1
    shift
    mpi "$n" "$MEDGRAFT" "$@" >"$log" 2>&1
    code=$?
    return $code
}

need() { # need COMMAND...: a step that must work, or there is nothing to check
    "$@" && return
    echo "FAILED  $*"
    tail -n 20 "$log"
    exit 1
}

hash_of() { "$MEDGRAFT" inspect --hash "$1" 2>/dev/null | sed -n 's/^[a-z_0-9]* \([0-9a-f]\{16\}\)$/\1/p'; }

ok() {
    passed=$((passed + 1))
    echo "ok      $1"
}

bad() { # bad NAME REASON
    failed=$((failed + 1))
    echo "FAILED  $1: $2"
    tail -n 20 "$log"
}

check() { # check NAME CONDITION...
    local name=$1
    shift
    if "$@" >"$WORK/said" 2>&1; then
        ok "$name"
    else
        bad "$name" "not so: $*"
        cat "$WORK/said"
    fi
}

# every_step RUN N: steps 1..N stand in metrics.jsonl, each once and in order.
every_step() {
    sed -n 's/^{"step": *\([0-9]*\),.*}$/\1/p' "$1/metrics.jsonl" | cmp -s - <(seq "$2")
}

# Two small sets of phantoms, 24 pictures each, in $WORK/shards.
tiny_data() {
    for kind in ct fundus; do
        need ranks 2 phantom --dataset "demo_$kind" --count 24 --seed 1 --size 48 --out "raw/$kind"
        need ranks 2 shard --dataset "demo_$kind" --root "raw/$kind" --out "shards/$kind"
    done
}
pretrain() { # pretrain RANKS OUT [SETTING...]
    local n=$1 out=$2
    shift 2
    ranks "$n" pretrain --config "$SOURCE/tests/tiny/pretrain.yaml" --out "$out" \
        --set data.sets=shards/ct,shards/fundus "$@"
}
finetune() { # finetune RANKS OUT [SETTING...]
    local n=$1 out=$2
    shift 2
    ranks "$n" finetune --config "$SOURCE/tests/tiny/finetune.yaml" --out "$out" \
        --set data.sets=shards/ct "$@"
}

finish() {
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ]
    exit
}
