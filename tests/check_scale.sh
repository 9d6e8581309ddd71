#!/bin/bash
# Many files: a phantom of RadImageNet with COUNT pictures is sharded on 2 ranks. Memory is bounded, no folder
# is listed twice, the job killed as a whole at random moments goes on without touching finished shards, every
# checksum holds, and 1, 2 and 3 ranks make the same set.
#   tests/check_scale.sh BUILD [COUNT [SEED]]     COUNT is 20000 unless given
. "$(dirname "$0")/check_lib.sh"
count=${2:-20000}
RANDOM=${3:-1}
LIMIT_S=7200
echo "pictures $count seed ${3:-1}"

shard_raw() { ranks "$1" shard --dataset radimagenet --root raw --out "$2"; }
# figure NAME: the word behind NAME in the line of the outcome
figure() { sed -n "s/^packed .*/&/p" "$log" | tail -n 1 | sed -n "s/.*\b$1 \([0-9.]*\).*/\1/p"; }
# wait_for CONDITION: false if the job in the background ends first
wait_for() {
    until "$1"; do
        jobs -r | grep -q . || return
        sleep 0.01
    done
}
two_ranks() {
    root=$(pgrep -P "$(pgrep -P $shell)") && mapfile -t rank < <(pgrep -P "$root") && [ ${#rank[@]} = 2 ]
}
enough() { [ "$(find cut -name '*.h5' | wc -l)" -ge "$target" ]; }
same_files() { [ "$(cd "$1" && ls)" = "$(cd "$2" && ls)" ]; }

need ranks 2 phantom --dataset radimagenet --count "$count" --size 64 --seed 7 --out raw
sed -n 's/^phantom .* seconds/phantom seconds/p' "$log"
begin=$(date +%s%3N)
need shard_raw 2 whole
span=$(($(date +%s%3N) - begin)) # ms
peak=$(figure peak_mb)
awk -v n="$count" -v s="$(figure seconds)" -v rate="$(figure items_per_s)" -v peak="$peak" 'BEGIN {
    printf "shard pictures %d ranks 2 seconds %s items_per_s %s peak_mb %s\n", n, s, rate, peak
    printf "1350000 pictures like these take about %.0f s\n", 1350000 / rate }'
check "$count items packed" test "$(figure packed)" = "$count"
check "memory of a rank, $peak MB, is below 500 MB" test "${peak%.*}" -lt 500
check "every checksum" "$MEDGRAFT" inspect --verify whole

# Killed as a whole, with mpirun, some time after so many of its 16 shards are finished; these have to stay as
# they are.
: >finished
for target in $((1 + RANDOM % 5)) $((6 + RANDOM % 5)); do
    shard_raw 2 cut &
    shell=$!
    pause=$(awk -v ms="$span" -v r=$RANDOM 'BEGIN { print ms / 32000 * r / 32768 }') # half a shard at most
    wait_for two_ranks && wait_for enough
    sleep "$pause"
    kill -9 "${rank[@]}" "$root" $shell
    wait $shell
    stat -c '%n %i %y %s' cut/[0-9][0-9][0-9][0-9][0-9].h5 >>finished
done 2>/dev/null # the shell tells of every process that was killed
check "killed before the end" test ! -e cut/index.json
done_before=$(cut -d ' ' -f 1 finished | sort -u | wc -l)
check "killed with $done_before shards finished" test "$done_before" -ge "$target"
check "goes on" shard_raw 2 cut
kept=$(sed -n 's/^\([0-9]*\) of [0-9]* shards are finished already$/\1/p' "$log")
check "at least these are kept: ${kept:-none}" test "${kept:-0}" -ge "$done_before"
check "finished shards are not touched" test \
    "$(sort -u finished)" = "$(stat -c '%n %i %y %s' $(cut -d ' ' -f 1 finished | sort -u))"
check "only the others are packed: $(figure packed)" test "$(figure packed)" -lt "$count"
check "nothing unfinished is left" same_files whole cut
check "every checksum after kills" "$MEDGRAFT" inspect --verify cut
check "the same content after kills" test "$(hash_of cut)" = "$(hash_of whole)"

check "1 rank" shard_raw 1 one
check "the same content on 1 rank" test "$(hash_of one)" = "$(hash_of whole)"

# Which folders are opened is seen from outside, on 3 ranks.
if command -v strace >strace-is; then
    real=$MEDGRAFT
    printf '#!/bin/sh\nexec strace -f -ff --seccomp-bpf -e trace=openat -o %s/trace %s "$@"\n' "$WORK" "$real" >traced
    chmod +x traced
    MEDGRAFT=$WORK/traced
    check "3 ranks" shard_raw 3 three
    MEDGRAFT=$real
    sed -n 's/^openat(AT_FDCWD, "\(raw[^"]*\)", [^)]*O_DIRECTORY.*) = [0-9]*$/\1/p' trace.* | sort >listed
    find raw -type d | sort >folders
    check "$(wc -l <folders) folders, each listed once by all ranks together" cmp folders listed
else
    echo "no strace: it is not checked that folders are listed once"
    check "3 ranks" shard_raw 3 three
fi
check "the same content on 3 ranks" test "$(hash_of three)" = "$(hash_of whole)"
finish
