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
# What is submitted, to a queue that only writes down what it is given.
mkdir "$OLDPWD/bin"
cat >"$OLDPWD/bin/sbatch" <<END
#!/bin/sh
echo "\$*" | sed 's| [^ ]*/array.sbatch .*/lists/| |' >>"$OLDPWD/submitted"
wc -l <"$OLDPWD/submitted"
END
chmod +x "$OLDPWD/bin/sbatch"
PATH="$OLDPWD/bin:$PATH" OUT="$OLDPWD/out" SBATCH_PRETRAIN="--nodes=16" STAGES="shard text pretrain report" \
    jobs/paper/submit.sh "2 3" --account=x
cat "$OLDPWD/submitted"
jobs/paper/plan.sh evaluate 4
