#!/bin/bash
# Run the command-line tests: tests/run_cli.sh BUILD [NAME...]
# tests/cli/NAME.sh runs in an empty folder with $MEDGRAFT (the program), $SOURCE (the source tree)
# and $MPIRUN set. Its output and exit code are compared with NAME.out, NAME.err (each only if it is
# there) and NAME.exit (0 if it is not there). An expected line may hold shell wildcards, and a line
# "..." stands for any number of lines.
SOURCE=$(cd "$(dirname "$0")/.." && pwd)
MEDGRAFT=$(cd "$1" && pwd)/medgraft
MPIRUN="mpirun --oversubscribe --bind-to none -q"
shift
export SOURCE MEDGRAFT MPIRUN
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1
export OMP_WAIT_POLICY=passive
# In MODE=san the leak checker looks at commands that do not start MPI (tests/san.c). Leaks of the others are
# looked for by the unit tests, and by valgrind.
export MG_LEAKS_WITHOUT_MPI=1
passed=0
failed=0

# same EXPECTED ACTUAL: whole files, with wildcards; names the first line that differs.
same() {
    local -a want got
    local i=0 j=0
    mapfile -t want <"$1"
    mapfile -t got <"$2"
    while [ $i -lt ${#want[@]} ]; do
        if [ "${want[i]}" = ... ]; then
            i=$((i + 1))
            if [ $i -eq ${#want[@]} ]; then return 0; fi
            while [ $j -lt ${#got[@]} ] && ! like "${got[j]}" "${want[i]}"; do j=$((j + 1)); done
        fi
        if [ $j -ge ${#got[@]} ] || ! like "${got[j]}" "${want[i]}"; then
            echo "    expected: ${want[i]}"
            echo "    found:    ${got[j]-end of output}"
            return 1
        fi
        i=$((i + 1))
        j=$((j + 1))
    done
    if [ $j -lt ${#got[@]} ]; then
        echo "    not expected: ${got[j]}"
        return 1
    fi
}

like() { # like LINE PATTERN
    # shellcheck disable=SC2053
    [ "$1" = "$2" ] || [[ $1 == $2 ]]
}

run_one() { # run_one NAME; prints what is wrong
    local test="$SOURCE/tests/cli/$1" work code want status=0
    work=$(mktemp -d)
    mkdir "$work/in"
    (cd "$work/in" && timeout 120 bash "$test.sh") >"$work/out" 2>"$work/err" </dev/null
    code=$?
    want=$(cat "$test.exit" 2>/dev/null || echo 0)
    if [ "$code" -ne "$want" ]; then
        echo "    exit code $code, expected $want"
        tail -n 20 "$work/out" "$work/err"
        status=1
    fi
    if [ -f "$test.out" ]; then same "$test.out" "$work/out" || status=1; fi
    if [ -f "$test.err" ]; then same "$test.err" "$work/err" || status=1; fi
    rm -rf "$work"
    return $status
}

[ $# -gt 0 ] || set -- $(cd "$SOURCE/tests/cli" && ls -- *.sh | sed 's/\.sh$//')
for name in "$@"; do
    if report=$(run_one "$name"); then
        passed=$((passed + 1))
        echo "ok      cli $name"
    else
        failed=$((failed + 1))
        echo "FAILED  cli $name"
        echo "$report"
    fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
