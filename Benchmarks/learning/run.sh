#!/bin/bash
# Training against its Python peers, one after the other in the same run.
#
#   ./run.sh            everything
#   ./run.sh ridge      ridge regression in memory: ours, numpy, scikit-learn
#   ./run.sh vw         the same logged data: ours, Vowpal Wabbit
#   ./run.sh files      a model file read by the safetensors package
#   ./run.sh trace [N]  training from a trace of N decisions (default 1000000): rate, memory
#
# The peers come from PyPI into a virtual environment beside this script (.venv), made when it is
# missing. Times are wall times, medians; state what else the machine was doing beside them.
set -euo pipefail
cd "$(dirname "$0")"
what=${1:-all}
export OPENBLAS_NUM_THREADS=2 OMP_NUM_THREADS=2 PYTHONDONTWRITEBYTECODE=1

if [ ! -x .venv/bin/python ]; then
    python3 -m venv .venv
    .venv/bin/pip install --quiet numpy scikit-learn vowpalwabbit safetensors
fi
swift build --package-path .. -c release --product LearningBenchmarks
ours=../.build/release/LearningBenchmarks
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

uptime
if [ "$what" = all ] || [ "$what" = ridge ]; then
    for features in 16 64 256; do
        $ours ridge "$features"
        .venv/bin/python peers.py ridge "$features"
        # Again, so that a change of the machine's load between the two shows.
        $ours ridge "$features"
    done
fi
if [ "$what" = all ] || [ "$what" = vw ]; then
    .venv/bin/python peers.py data "$scratch"
    $ours logged "$scratch"
    .venv/bin/python peers.py vw "$scratch"
fi
if [ "$what" = all ] || [ "$what" = files ]; then
    $ours model "$scratch/model.safetensors"
    .venv/bin/python peers.py model "$scratch/model.safetensors"
fi
if [ "$what" = all ] || [ "$what" = trace ]; then
    $ours trace "$scratch/t.trace" "${2:-1000000}"
fi
uptime
