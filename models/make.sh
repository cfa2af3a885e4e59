#!/bin/bash
# Trains a model from recordings of random worlds, and compares it in closed loop with a start from
# nothing, in worlds of other seeds. A model ships only if it wins there, by an interval clear of zero.
#
#   models/make.sh [MODEL]          where the model goes; .build/models/worlds.safetensors without it
#
# WORLDS (200) worlds of each workload are recorded with paths drawn at random, and TEST (200) others
# of each are run. TRAIN_SEED and TEST_SEED are the first seeds: a comparison counts only on seeds that
# nobody has chosen anything on. PATHWISE names another binary. The same seeds give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
. Benchmarks/workspace.sh models
model=${1:-.build/models/worlds.safetensors}
worlds=${WORLDS:-200} tests=${TEST:-200}
train_seed=${TRAIN_SEED:-100001} test_seed=${TEST_SEED:-900001}
mkdir -p "$(dirname "$model")"

# The options of `simulate` for a workload; `own` is each world's own.
workload() { [ "$1" = own ] || echo "--workload $1"; }

kinds=(messages video own)
for index in "${!kinds[@]}"; do
    mkdir "$work/${kinds[$index]}"
    # shellcheck disable=SC2046
    "$PATHWISE" simulate --random "$worlds" --seed $((train_seed + 10000 * index)) --seeds 1 \
        --duration 20s $(workload "${kinds[$index]}") --policy weighted \
        --record "$work/${kinds[$index]}" > /dev/null
done
"$PATHWISE" train "$work"/*/*.trace --output "$model"
for index in "${!kinds[@]}"; do
    echo
    echo "The model against a start from nothing, ${kinds[$index]}:"
    # shellcheck disable=SC2046
    "$PATHWISE" simulate --random "$tests" --seed $((test_seed + 10000 * index)) --seeds 1 \
        --duration 20s $(workload "${kinds[$index]}") --policy learned --policy "$model" \
        --baseline learned --json > "$work/test.json"
    python3 - "$work/test.json" <<'PY'
import json, sys
for row in json.load(open(sys.argv[1]))["overall"]:
    if row["low"] is not None:
        print(f"{100 * row['difference']:+.2f} % [{100 * row['low']:+.2f}, {100 * row['high']:+.2f}]"
              f" in {row['count']} flows; worst {100 * row['worst']:+.1f} % in {row['worst_place']}")
PY
done
