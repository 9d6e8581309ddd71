#!/bin/bash
# The job scripts of jobs/slurm on a real SLURM of this machine alone, which this script starts from
# Debian's packages in a folder of its own (build/slurm: configuration, spool, logs; own ports) and
# stops again by process number: launchers, a time limit, requeueing, dependent jobs, an array job.
#   tests/check_slurm.sh BUILD          as root
if [ "$(id -u)" -ne 0 ]; then
    echo "check-slurm starts munged, slurmctld and slurmd, which needs root" >&2
    exit 1
fi
for program in munged slurmctld slurmd sbatch; do
    command -v $program >/dev/null && continue
    echo "'$program' is not installed; 'make check-slurm' installs it on Debian" >&2
    exit 1
done
WORK=$(cd "$(dirname "$0")/.." && pwd)/build/slurm
rm -rf "$WORK"
mkdir -p "$WORK/spool" "$WORK/state"
. "$(dirname "$0")/check_lib.sh"
unset TMPDIR OMPI_MCA_btl_vader_backing_directory
export SLURM_CONF=$WORK/slurm.conf MEDGRAFT MEDGRAFT_HOME=$SOURCE
tasks=(--nodes=1 --ntasks=2 --ntasks-per-node=2 --cpus-per-task=1)
daemons=()

# --- the batch system

cleanup() {
    local pid
    scancel --quiet --user=root --partition=check 2>/dev/null
    for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
    if [ $failed -gt 0 ]; then echo "logs are in '$WORK'"; else rm -rf "$WORK"; fi
}

give_up() {
    echo "FAILED  $1"
    failed=1
    tail -n 20 "$WORK"/*.log
    exit 1
}

daemon() { # daemon NAME COMMAND...: in the background; its number is noted for the end
    local name=$1
    shift
    "$@" >"$WORK/$name.out" 2>&1 &
    daemons=($! "${daemons[@]}") # the last one started is stopped first
}

wait_for() { # wait_for SECONDS COMMAND...: until it is true
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 1
    done
}

free_port() { # free_port FROM
    local port=$1
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    echo "$port"
}

munge_works() { munge -n 2>/dev/null | unmunge >/dev/null 2>&1; }
node_idle() { [ "$(sinfo -h -o %T 2>/dev/null)" = idle ]; }

# munged runs as its own user with the folders of its package, unless one is running.
start_munge() {
    munge_works && return
    mkdir -p /run/munge
    chown munge: /run/munge
    [ -e /etc/munge/munge.key ] || runuser -u munge -- mungekey
    daemon munged runuser -u munge -- munged --foreground
    wait_for 20 munge_works
}

start_slurm() {
    local host cpus
    host=$(hostname -s)
    cpus=$(($(nproc) > 2 ? $(nproc) : 2))
    cat >"$SLURM_CONF" <<CONF
ClusterName=check
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port 16817)
SlurmdPort=$(free_port 17818)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A requeued job waits until the credential of its last start has expired.
AuthInfo=cred_expire=5
MpiDefault=pmix
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=5,bf_interval=5
StateSaveLocation=$WORK/state
SlurmdSpoolDir=$WORK/spool
SlurmctldPidFile=$WORK/slurmctld.pid
SlurmdPidFile=$WORK/slurmd.pid
SlurmctldLogFile=$WORK/slurmctld.log
SlurmdLogFile=$WORK/slurmd.log
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=10
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus State=UNKNOWN
PartitionName=check Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
    daemon slurmctld slurmctld -D
    daemon slurmd slurmd -D
    wait_for 60 node_idle
}

# --- jobs

field() { scontrol show job "$1" 2>/dev/null | sed -n "s/.*\b$2=\([^ ]*\).*/\1/p" | head -n 1; }
ended() { case $(field "$1" JobState) in COMPLETED | FAILED | CANCELLED | TIMEOUT | NODE_FAIL | '') ;; *) false ;; esac }

# job_ends NAME JOB SECONDS STATE
job_ends() {
    wait_for "$3" ended "$2"
    check "$1: job $2 is $4 after $(field "$2" Restarts) restarts" \
        test "$(field "$2" JobState)" = "$4"
}

same_bits() { check "$1: the bits of the unbroken run" test "$(hash_of "$2")" = "$(hash_of "$3")"; }

start_munge || give_up "munged does not start"
start_slurm || give_up "the node is not idle"
ok "SLURM $(sinfo --version | cut -d' ' -f2): node $(hostname -s) with $(sinfo -h -o %c) processors is idle"

# --- launchers

srun --mpi=pmix --ntasks=2 "$MEDGRAFT" doctor >"$log" 2>&1
check "srun --mpi=pmix: doctor sees 2 ranks" grep -q '^mpi_ranks *2$' "$log"
srun --mpi=none --ntasks=2 "$MEDGRAFT" phantom --dataset demo_ct --out none >"$log" 2>&1
check "srun --mpi=none: refused, not run as two programs" test $? -ne 0 -a ! -e none

# --- a chain of jobs with a time limit

# SLURM's shortest limit is a minute, and it gives the signal 20 to 50 s before that. So many steps that
# the unbroken run takes 90 s: also at twice the speed the limit is met.
tiny_data
begin=$(date +%s%3N)
need pretrain 2 speed --set train.steps=200 --set pretrain.health_every=1000000 --set train.save_every=1000000
export steps=$((200 * 90000 / ($(date +%s%3N) - begin)))
sed "s/steps: 12/steps: $steps/; s/save_every: 3/save_every: 1000000/; s/health_every: 5/health_every: 1000000/" \
    "$SOURCE/tests/tiny/pretrain.yaml" >pretrain.yaml
cp "$SOURCE/tests/tiny/finetune.yaml" finetune.yaml
stage() { need ranks 2 "$@" --set data.sets=out/shards/demo_ct; }

echo "pretraining of $steps steps"
"$SOURCE/jobs/slurm/chain.sh" demo_ct raw/ct out pretrain.yaml finetune.yaml "${tasks[@]}" --time=1 \
    --signal=B:USR1@20 >chain 2>&1 || give_up "chain.sh: $(cat chain)"
cat chain
job() { sed -n "s/^$1 //p" chain; }
job_ends "shard" "$(job shard)" 120 COMPLETED
check "finetune waits" test "$(field "$(job finetune)" JobState)" = PENDING
job_ends "pretrain with a limit of 1 minute" "$(job pretrain)" 600 COMPLETED
check "pretrain was requeued" test "$(field "$(job pretrain)" Restarts)" -ge 1
output=medgraft-pretrain-$(job pretrain).out
cp "$output" "$log"
check "its output tells of each start" grep -q "start 2 ranks 2 threads 1 launcher srun" "$output"
check "it was stopped by the signal" grep -q "stopped on a signal after checkpoint" "$output"
check "it went on from the checkpoint" grep -q "^resume out/pretrain/checkpoints/step-.*going on at" "$output"
check "metrics.jsonl has every step once" every_step out/pretrain "$steps"
job_ends "finetune" "$(job finetune)" 120 COMPLETED
job_ends "evaluate" "$(job evaluate)" 120 COMPLETED
check "evaluate wrote its table" test -s out/evaluate/cases.csv

stage pretrain --config pretrain.yaml --out whole/pretrain
same_bits "pretrain" out/pretrain whole/pretrain
stage finetune --config finetune.yaml --init out/pretrain --out whole/finetune
same_bits "finetune" out/finetune whole/finetune
stage evaluate --model whole/finetune --out whole/evaluate
check "evaluate: the table of the unbroken run" cmp out/evaluate/cases.csv whole/evaluate/cases.csv

# --- mpirun inside the batch script, and a signal by hand

few=$((steps / 4))
MEDGRAFT_LAUNCHER=mpirun sbatch --parsable "${tasks[@]}" "$SOURCE/jobs/slurm/pretrain.sbatch" \
    --config pretrain.yaml --out out/mpirun --set data.sets=out/shards/demo_ct \
    --set train.steps=$few >jobid
number=$(cat jobid)
running() { [ "$(wc -l <out/mpirun/metrics.jsonl)" -gt 20 ]; } 2>/dev/null
wait_for 120 running
scancel --batch --signal=USR1 "$number"
job_ends "mpirun, scancel --signal=USR1" "$number" 300 COMPLETED
cp "medgraft-pretrain-$number.out" "$log"
check "mpirun: requeued once" test "$(field "$number" Restarts)" = 1
check "mpirun: the launcher" grep -q "start 2 ranks 2 threads 1 launcher mpirun" "$log"
stage pretrain --config pretrain.yaml --out whole/mpirun --set train.steps=$few
same_bits "mpirun" out/mpirun whole/mpirun

# --- an array job

for lr in 1e-3 2e-3; do
    echo "finetune --config finetune.yaml --init out/pretrain --out out/lr-$lr --set train.lr=$lr --set data.sets=out/shards/demo_ct"
done >list
number=$(sbatch --parsable --array=1-2 "${tasks[@]}" "$SOURCE/jobs/slurm/array.sbatch" list)
job_ends "array" "${number}_1" 120 COMPLETED
job_ends "array" "${number}_2" 120 COMPLETED
same_bits "array, first line" out/lr-1e-3 whole/finetune
check "array, second line: another rate, other bits" \
    test -n "$(hash_of out/lr-2e-3)" -a "$(hash_of out/lr-2e-3)" != "$(hash_of out/lr-1e-3)"
finish
