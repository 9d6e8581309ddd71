#!/bin/bash
# Killed and started again: kill -9 of one rank, of both, or of mpirun with them, at random moments of
# sharding, pretraining, fine-tuning and evaluation on 2 ranks; each time the same command goes on, and
# in the end everything is as after an unbroken run. Then signals that ask a run to stop: exit code 75.
#   tests/check_kill.sh BUILD [KILLS [SEED]]     KILLS of each kind of training, 20 unless given
. "$(dirname "$0")/check_lib.sh"
kills=${2:-20}
RANDOM=${3:-1}
echo "kills $kills seed ${3:-1}"

milliseconds() { date +%s%3N; }
seconds() { awk -v ms="$1" 'BEGIN { printf "%.2f", ms / 1000 }'; }
below() { pgrep -P "$1"; }

# A command of the library in the background: a shell, timeout, mpirun, the ranks.
start() {
    "$@" &
    shell=$!
    started=$(milliseconds)
}
mpirun_pid() { below "$(below $shell || echo 0)"; }
rank_pids() { below "$(mpirun_pid || echo 0)"; }

# Kill what chance wants killed; false if nothing is there any more. What was done is added to $story.
strike() {
    local -a rank
    local root whom
    root=$(mpirun_pid) || return 1
    mapfile -t rank < <(rank_pids)
    case $((RANDOM % 4)) in
    0) whom="rank 0" && set -- "${rank[@]:0:1}" ;;
    1) whom="rank 1" && set -- "${rank[@]:1:1}" ;;
    2) whom="both" && set -- "${rank[@]}" ;;
    *) whom="both and mpirun" && set -- "$root" "${rank[@]}" ;;
    esac
    [ $# -gt 0 ] || set -- "$root"
    kill -9 "$@" 2>/dev/null || return 1
    story="$story, $whom at $(seconds $(($(milliseconds) - started))) s"
}

# The command has to end by itself soon after it was struck.
end_of() {
    local begin=$SECONDS
    wait $shell
    code=$?
    [ $((SECONDS - begin)) -lt 30 ] || bad "$1" "ended $((SECONDS - begin)) s after the kill"
}

# batter NAME KILLS TEST COMMAND...: the command with "@" in place of its output, killed KILLS times at
# random moments, in as many fresh outputs as it takes; TEST OUTPUT judges each one.
batter() {
    local name=$1 left=$2 test=$3 n=0 span before
    shift 3
    before=$(milliseconds)
    need "${@//@/$name-whole}"
    span=$(($(milliseconds) - before))
    while [ "$left" -gt 0 ]; do
        n=$((n + 1))
        story=
        while [ "$left" -gt 0 ]; do
            start "${@//@/$name-$n}" 2>/dev/null
            sleep "$(seconds $((RANDOM * span / 32768)))"
            strike || break
            left=$((left - 1))
            end_of "$name $n"
        done
        wait
        "${@//@/$name-$n}"
        if [ "$code" -ne 0 ]; then
            bad "$name $n$story" "the same command ended with $code"
        else
            check "$name $n$story" "$test" "$name-$n" "$name-whole"
        fi
    done 2>/dev/null # the shell tells of every process that was killed
}

same_run() { [ -n "$(hash_of "$2")" ] && [ "$(hash_of "$1")" = "$(hash_of "$2")" ] && every_step "$1" $steps; }

same_set() {
    local file
    [ "$(hash_of "$1")" = "$(hash_of "$2")" ] && "$MEDGRAFT" inspect --verify "$1" || return 1
    [ "$(cd "$1" && ls)" = "$(cd "$2" && ls)" ] || return 1
    for file in "$2"/*.h5; do cmp "$file" "$1/${file##*/}" || return 1; done
}

same_scores() { cmp "$1/cases.csv" "$2/cases.csv" && [ ! -e "$1/progress" ]; }

# steps_done RUN COUNT: wait until that many steps stand in metrics.jsonl.
steps_done() {
    local end=$((SECONDS + 60))
    while [ $SECONDS -lt $end ]; do
        [ "$(grep -c '^{"step"' "$1/metrics.jsonl" 2>/dev/null)" -ge "$2" ] 2>/dev/null && return
        sleep 0.05
    done
    return 1
}

last_step() { sed -n 's/^{"step":\([0-9]*\),.*/\1/p' "$1/metrics.jsonl" | tail -n 1; }

# stop NAME SIGNAL WHOM STAGE: after some steps the signal goes to WHOM; the run ends with 75 and a
# checkpoint of its last step, and the same command goes on from there.
stop() {
    local name="$1: SIG$2 to $3" run=$1-$2-${3// /-} stage=$4 at
    start $stage 2 $run
    steps_done $run 5
    case $3 in
    "one rank") kill -"$2" "$(rank_pids | tail -n 1)" ;;
    "all ranks") kill -"$2" $(rank_pids) ;;
    mpirun) kill -"$2" "$(mpirun_pid)" ;;
    esac
    end_of "$name"
    check "$name: exit code 75" test "$code" -eq 75
    at=$(sed -n 's/.*stopped on a signal after checkpoint step \([0-9]*\);.*/\1/p' "$log")
    check "$name: no step is lost" test "$(last_step $run)" = "$at"
    $stage 2 $run
    check "$name: goes on at step $at" grep -q "going on at step $at\$" "$log"
    check "$name: the same bits, every step once" same_run $run $1-whole
}

tiny_data
need ranks 2 phantom --dataset demo_us --count 240 --seed 2 --size 96 --out raw/us
shard_us() { ranks 2 shard --dataset demo_us --root raw/us --shard.size_mb 1 --out "$1"; }
batter shards $((kills / 2)) same_set shard_us @

steps=48
long_pretrain() { pretrain "$1" "$2" --set train.steps=$steps --set train.save_every=5; }
long_finetune() { finetune "$1" "$2" --set train.steps=$steps --set train.save_every=5; }
batter pretrain "$kills" same_run long_pretrain 2 @
batter finetune "$kills" same_run long_finetune 2 @
score() {
    ranks 2 evaluate --model finetune-whole --out "$1" --set data.sets=shards/fundus --part all \
        --clicks 1,3 --one-class --set evaluate.pictures=2
}
batter evaluate $((kills / 4)) same_scores score @

# Killed when some cases are finished: they are not scored again, on another number of ranks neither.
start score scored-part
while kill -0 $shell && [ "$(cat scored-part/progress/* | grep -c '^end$')" -lt 4 ]; do
    sleep 0.02
done 2>/dev/null
kill -9 "$(mpirun_pid)" $(rank_pids) 2>/dev/null
wait $shell
ranks 1 evaluate --model finetune-whole --out scored-part --set data.sets=shards/fundus --part all \
    --clicks 1,3 --one-class --set evaluate.pictures=2
check "evaluate: goes on" grep -Eq "^resume cases ([4-9]|[1-9][0-9]+) of" "$log"
check "evaluate: the same scores" same_scores scored-part evaluate-whole

for stage in pretrain finetune; do
    stop $stage TERM "all ranks" long_$stage
    stop $stage USR1 "one rank" long_$stage
    stop $stage USR1 mpirun long_$stage
done
finish
