#!/bin/bash
# Compares training with Python libraries, one after the other in the same run.
#
#   ./run.sh            everything
#   ./run.sh ridge      ridge regression in memory: ours, numpy, scikit-learn
#   ./run.sh vw         the same logged data: ours, Vowpal Wabbit
#   ./run.sh files      a model file read by the safetensors package
#   ./run.sh trace [N]  training from a trace of N decisions (default 1000000): rate, memory;
#                       10000000 take 8 GB in TMPDIR
#
# The libraries come from PyPI into a virtual environment beside this script (.venv), created when
# it is missing. Times are medians of wall time, and of processor time of all threads; report them
# with the other load on the machine. BESIDE="chrt -r 5" (root) gives the run priority over other
# programs.
set -euo pipefail
cd "$(dirname "$0")"
what=${1:-all}
export OPENBLAS_NUM_THREADS=2 OMP_NUM_THREADS=2 PYTHONDONTWRITEBYTECODE=1

# An incomplete environment, from an interrupted run, is created again.
if ! .venv/bin/python -c 'import numpy, sklearn, vowpalwabbit, safetensors' 2>/dev/null; then
    rm -rf .venv
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check \
        numpy scikit-learn vowpalwabbit safetensors
fi
swift build --package-path .. -c release --product LearningBenchmarks
ours="${BESIDE:-} ../.build/release/LearningBenchmarks"
peers="${BESIDE:-} .venv/bin/python peers.py"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

uptime
.venv/bin/python -c 'import numpy, sklearn, vowpalwabbit, safetensors
print("numpy", numpy.__version__, "scikit-learn", sklearn.__version__, "vowpalwabbit",
      vowpalwabbit.__version__, "safetensors", safetensors.__version__)'
if [ "$what" = all ] || [ "$what" = ridge ]; then
    for features in 16 64 256; do
        $ours ridge "$features"
        $peers ridge "$features"
        # Repeated, to show changes of the machine's load between the two.
        $ours ridge "$features"
    done
fi
if [ "$what" = all ] || [ "$what" = vw ]; then
    $peers data "$scratch"
    $ours logged "$scratch"
    $peers vw "$scratch"
fi
if [ "$what" = all ] || [ "$what" = files ]; then
    $ours model "$scratch/model.safetensors"
    $peers model "$scratch/model.safetensors"
fi
if [ "$what" = all ] || [ "$what" = trace ]; then
    # Uses two processes, so that the peak of memory is that of training.
    $ours record "$scratch/t.trace" "${2:-1000000}"
    $ours trace "$scratch/t.trace"
fi
uptime
