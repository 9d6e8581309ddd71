#!/bin/bash
# Submit the paper's tables to SLURM: the stages of plan.sh, each an array job that waits for the one before.
#   jobs/paper/submit.sh "TABLE..." [SBATCH OPTION]...       jobs/paper/submit.sh "1 2" --account=x
# The environment is that of plan.sh. STAGES limits what is submitted ("shard text pretrain finetune evaluate
# report"); SBATCH_<STAGE> holds options of one stage: SBATCH_PRETRAIN="--nodes=16 --time=24:00:00".
# Give the same line again after a failure: what is done is found done, the rest goes on.
set -eu
[ $# -ge 1 ] || {
    sed -n '2,6s/^# *//p' "$0" >&2
    exit 2
}
read -r -a tables <<<"$1"
shift
here=$(cd "$(dirname "$0")" && pwd)
export MEDGRAFT_HOME="${MEDGRAFT_HOME:-$(cd "$here/../.." && pwd)}"
export OUT=${OUT:-runs/paper}
mkdir -p "$OUT/lists"
after=
for stage in ${STAGES:-shard text pretrain finetune evaluate report}; do
    list=$OUT/lists/$stage.txt
    "$here/plan.sh" "$stage" "${tables[@]}" >"$list"
    count=$(wc -l <"$list")
    [ "$count" -gt 0 ] || continue
    options="SBATCH_$(echo "$stage" | tr '[:lower:]' '[:upper:]')"
    read -r -a own <<<"${!options:-}"
    case $stage in text | report) own=(--nodes=1 --ntasks-per-node=1 "${own[@]}") ;; esac # no MPI
    job=$(sbatch --parsable --job-name="medgraft-$stage" --array="1-$count" \
        ${after:+--dependency="afterok:$after" --kill-on-invalid-dep=yes} \
        "$@" "${own[@]}" "$here/../slurm/array.sbatch" "$list")
    after=${job%%;*} # without the cluster's name
    echo "$stage $after tasks $count"
done
