#!/bin/bash
# Runs the examples in the given build folder, and compares their output.
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
