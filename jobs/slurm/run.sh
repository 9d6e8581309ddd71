# Read by the *.sbatch scripts: starts medgraft on all tasks of the job and hands on what SLURM says.
#   signal before the time limit -> the ranks write a checkpoint and end with 75 -> the job is requeued
# The same command then goes on from the checkpoint. Set from outside, if need be:
#   MEDGRAFT           the program (otherwise medgraft in MEDGRAFT_HOME, then in PATH)
#   MEDGRAFT_LAUNCHER  srun or mpirun (otherwise srun if it knows PMIx)
MEDGRAFT_HOME=${MEDGRAFT_HOME:-$SLURM_SUBMIT_DIR}
[ -n "${MEDGRAFT:-}" ] || MEDGRAFT=$MEDGRAFT_HOME/medgraft
[ -x "$MEDGRAFT" ] || MEDGRAFT=medgraft
ranks=${SLURM_NTASKS:-1}
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}

# The launcher's words into the array `launcher`: each rank gets its own OMP_NUM_THREADS cores.
choose_launcher() {
    local name=${MEDGRAFT_LAUNCHER:-}
    if [ -z "$name" ]; then
        name=mpirun
        srun --mpi=list 2>&1 | grep -q pmix && name=srun
    fi
    case $name in
    srun) # since SLURM 22.05 srun asks to be told --cpus-per-task again
        launcher=(srun --mpi=pmix --kill-on-bad-exit=1 --cpu-bind=cores
            --ntasks="$ranks" --cpus-per-task="$OMP_NUM_THREADS") ;;
    *) launcher=(mpirun -n "$ranks" --map-by "slot:PE=$OMP_NUM_THREADS" --bind-to core) ;;
    esac
}

# run ARGUMENT...: medgraft on all tasks. --signal=B:USR1@... wakes this shell, which passes the signal to
# the launcher, and both launchers pass it to every rank.
run() {
    local code
    choose_launcher
    echo "job $SLURM_JOB_ID start $((${SLURM_RESTART_COUNT:-0} + 1)) ranks $ranks" \
        "threads $OMP_NUM_THREADS launcher ${launcher[0]} nodes ${SLURM_JOB_NODELIST:-?}"
    "${launcher[@]}" "$MEDGRAFT" "$@" &
    local child=$!
    trap 'kill -USR1 $child' USR1
    trap 'kill -TERM $child' TERM
    wait $child
    code=$?
    while [ $code -gt 128 ] && kill -0 $child 2>/dev/null; do # a signal ended the waiting only
        wait $child
        code=$?
    done
    trap - USR1 TERM
    if [ $code -eq 75 ] && scontrol requeue "$SLURM_JOB_ID"; then
        echo "job $SLURM_JOB_ID stopped after a checkpoint and goes back into the queue"
    fi
    return $code
}
