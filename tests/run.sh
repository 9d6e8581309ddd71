#!/bin/sh
# Run test programs as their sources' first lines say (// RUN: np=1,2,3): tests/run.sh BUILD NAME...
# Prints one line per run, with its seconds if they are many, and "N passed, N failed"; of a run that
# fails, the end of its output. Exit code 1 if one failed.
build=$1
shift
export OPENBLAS_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"
# Idle threads sleep: on a busy machine waiting in a loop costs many times what the tests do.
export OMP_WAIT_POLICY=passive
passed=0
failed=0
log=$(mktemp)

run() { # run NAME RANKS; 0 ranks: without mpirun
    if [ "$2" = 0 ]; then
        timeout 300 "$build/tests/$1"
    else
        OMP_NUM_THREADS=1 timeout 300 mpirun --oversubscribe --bind-to none -n "$2" "$build/tests/$1"
    fi
}

for name in "$@"; do
    counts=$(sed -n '1s|^// RUN: np=\([0-9,]*\).*|\1|p' "tests/$name.c" | tr ',' ' ')
    for np in ${counts:-0}; do
        label=$name
        [ "$np" = 0 ] || label="$name on $np ranks"
        start=$(date +%s)
        if run "$name" "$np" >"$log" 2>&1 </dev/null; then
            passed=$((passed + 1))
            took=$(($(date +%s) - start))
            [ $took -lt 5 ] || label="$label ($took s)"
            echo "ok      $label"
        else
            failed=$((failed + 1))
            echo "FAILED  $label"
            tail -n 40 "$log"
        fi
    done
done
rm -f "$log"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
