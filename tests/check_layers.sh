#!/bin/sh
# Check the folder order and that each outside library has one home (docs/architecture.md).
status=0
while read -r folder allowed; do
    grep -Hno '#include "[a-z]*/' "$folder"/*.[ch] 2>/dev/null | tr -d '"' |
        while IFS=: read -r file line inc; do
            target=${inc#\#include }
            case " $allowed " in
            *" ${target%/} "*) ;;
            *) echo "$file:$line: $folder/ may not include from $target" ;;
            esac
        done
done <<'TABLE' | grep . && status=1
runtime  runtime
nn       nn
models   runtime nn models
datasets runtime datasets
shard    runtime datasets models shard
pretrain runtime nn models shard datasets pretrain
finetune runtime nn models shard datasets finetune
TABLE

# Later stages see image files, not the data sets; only packing sees the data sets.
grep -n '#include "datasets/' pretrain/*.[ch] finetune/*.[ch] 2>/dev/null |
    grep -v '/decode.h"\|/nifti.h"' &&
    status=1
grep -n '#include "datasets/' shard/*.[ch] 2>/dev/null | grep -v '^shard/writer' |
    grep -v '^shard/cmd_shard' && status=1
grep -n '#include "models/' shard/*.[ch] 2>/dev/null | grep -v '^shard/cmd_inspect' && status=1

home() { # home PATTERN FILE; what stands in a comment does not count
    grep -nE "^([^/]|/[^/])*($1)" */*.c */*.h main.c 2>/dev/null | grep -v "^$2:" | grep -v '^tests/' && status=1
}
home '\bMPI_[A-Z]' 'runtime/comm[a-z_]*.[ch]'
home '\bcblas_|\bdnnl_' nn/gemm.c
home '\bH5[A-Z]+[a-z]' 'runtime/h5[a-z_]*.[ch]'
home '\byaml_[a-z]+_t\b|\byaml_parser' runtime/yaml.c
home '\bZSTD_' shard/block.c
home '\bjson_[a-z]+\(' runtime/json.c
home '\bXXH[0-9_]' runtime/hash.c
home '\butf8proc_' models/unicode.c
home '\bpng_' datasets/png.c
home '\blibdeflate_' datasets/png_plain.c
home '\bxml[A-Z]' datasets/xml.c
home '\btj[A-Z]' datasets/jpeg.c
home '\bTIFF[A-Z][a-z]' datasets/tiff.c
home '\b(in|de)flate[A-Z(]' runtime/gzip.c
exit $status
