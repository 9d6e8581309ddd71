# The plan of the paper's tables: how many commands each stage has, files that they name and that are not there, and
# the rows of a table.
cd "$SOURCE" || exit 1
for stage in shard text pretrain finetune evaluate report; do
    jobs/paper/plan.sh $stage 1 2 3 >"$OLDPWD/$stage" || echo "plan.sh $stage failed"
    echo "$stage $(wc -l <"$OLDPWD/$stage")"
    grep -o 'jobs/paper/[^ ]*\|finetune/texts/[^ ]*' "$OLDPWD/$stage" | sort -u | while read -r file; do
        [ -f "$file" ] || echo "$stage: there is no '$file'"
    done
done
mkdir -p "$OLDPWD/masks/tnscui/nnUNet"
ABLATIONS=none MASKS="$OLDPWD/masks" jobs/paper/plan.sh evaluate 3 | cut -d ' ' -f 7,10-13 | sed "s|$OLDPWD/||"
jobs/paper/plan.sh evaluate 4
