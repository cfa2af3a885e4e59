#!/bin/bash
# Makes the image's root folder and serves in it for a second, without an engine: test-image.sh BINARY.
set -eu -o pipefail
here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 0755 "$work"
"$here/root.sh" "$1" "$work/root"
echo "image: $(du -sm "$work/root" | cut -f1) MB, $(find "$work/root" -type f | wc -l) files"
echo "image: version $("$here/in-root.sh" "$work/root" --version)"
# unshare ignores SIGTERM; timeout sends it to the program too.
status=0
timeout 2 "$here/in-root.sh" "$work/root" serve --state /var/lib/pathwise --listen 127.0.0.1:0 \
    >"$work/log" || status=$?
grep -q "pathwise join pathwise1-" "$work/log" && [ $status = 124 ] || {
    cat "$work/log" >&2
    echo "image: serve ended with $status" >&2
    exit 1
}
echo "image: $(sed -n 's/^[^ ]*  listening/it served, listening/p' "$work/log" | head -1)"
