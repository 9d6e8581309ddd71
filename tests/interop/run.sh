#!/bin/sh
# What other programs make of medgraft's files, and the other way round: tests/interop/run.sh BUILD.
# Needs Python with numpy, torch, h5py (with hdf5plugin or zstandard), nibabel, Pillow; a script whose packages
# are missing says so and is skipped. PYTHON names another interpreter.
python=${PYTHON:-python3}
"$python" -c 'import numpy' 2>/dev/null || python=/usr/bin/python3
export BUILD="$1" OMP_NUM_THREADS=1
status=0
for script in weights masks shards nifti; do
    PYTHONDONTWRITEBYTECODE=1 "$python" "tests/interop/$script.py" || status=1
done
exit $status
