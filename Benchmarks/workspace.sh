# Scripts that run the real command source this file from the package's folder. It provides the
# binary, a temporary folder that is deleted when the script ends, and keys of a server and a
# client.
#
#   . Benchmarks/workspace.sh NAME
#
# Sets PATHWISE and `work`; processes whose ids are added to `started` end with the script.
PATHWISE=${PATHWISE:-$PWD/.build/release/pathwise}
[ -x "$PATHWISE" ] || { echo "build first: make build" >&2; exit 1; }

work=$(mktemp -d "${TMPDIR:-/tmp}/pathwise-$1.XXXXXX")
started=()
finish() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT
"$PATHWISE" keygen "$work/server.key" > "$work/server.pub"
"$PATHWISE" keygen "$work/client.key" > "$work/client.pub"
