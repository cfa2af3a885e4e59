#!/bin/bash
# Runs the examples that were built into the folder given, and compares what they print.
set -euo pipefail
cd "$(dirname "$0")"
built=$1
for name in Messages CustomPolicy; do
    timeout 60 "$built/$name" >"$built/$name.out"
    # Messages may arrive in another order.
    if ! diff <(sort "Expected/$name.txt") <(sort "$built/$name.out"); then
        echo "examples: $name printed something else" >&2
        exit 1
    fi
    echo "examples: $name is right"
done
