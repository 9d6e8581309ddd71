#!/bin/sh
# Fuzz each named target for some seconds: tests/fuzz/run.sh BUILD SECONDS NAME...
# Seeds lie in tests/fuzz/seeds/NAME; what is found new stays in BUILD/fuzz/NAME. Exit code 1 if something broke.
build=$1
seconds=$2
shift 2
status=0
for name in "$@"; do
    mkdir -p "$build/fuzz/$name"
    if "$build/tests/fuzz/$name" -max_total_time="$seconds" -max_len=65536 -timeout=120 -rss_limit_mb=4096 -malloc_limit_mb=2048 \
        -artifact_prefix="$build/fuzz/$name." -print_final_stats=1 "$build/fuzz/$name" \
        "tests/fuzz/seeds/$name" >"$build/fuzz/$name.log" 2>&1; then
        echo "ok      fuzz $name $(sed -n 's/^stat::number_of_executed_units: */runs /p' "$build/fuzz/$name.log")"
    else
        echo "FAILED  fuzz $name (log: $build/fuzz/$name.log)"
        tail -n 30 "$build/fuzz/$name.log"
        status=1
    fi
done
exit $status
