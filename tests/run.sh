#!/bin/sh
# Run test programs as their sources' first lines say (// RUN: np=1,2,3): tests/run.sh BUILD NAME...
# Prints one line per run and "N passed, N failed"; exit code 1 if one failed.
build=$1
shift
export OPENBLAS_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"
export LSAN_OPTIONS=suppressions=tests/lsan.supp:print_suppressions=0
passed=0
failed=0
log=$(mktemp)
for name in "$@"; do
    counts=$(sed -n '1s|^// RUN: np=\([0-9,]*\).*|\1|p' "tests/$name.c" | tr ',' ' ')
    for np in ${counts:-0}; do
        if [ "$np" = 0 ]; then
            timeout 300 "$build/tests/$name" >"$log" 2>&1
        else
            # The MPI library keeps what it allocates; our own blocks are counted by the tests.
            ASAN_OPTIONS=detect_leaks=0 OMP_NUM_THREADS=1 timeout 300 mpirun --oversubscribe \
                --bind-to none -n "$np" "$build/tests/$name" >"$log" 2>&1
        fi
        if [ $? -eq 0 ]; then
            passed=$((passed + 1))
            echo "ok      $name$([ "$np" = 0 ] || echo " on $np ranks")"
        else
            failed=$((failed + 1))
            echo "FAILED  $name$([ "$np" = 0 ] || echo " on $np ranks")"
            tail -n 40 "$log"
        fi
    done
done
rm -f "$log"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
