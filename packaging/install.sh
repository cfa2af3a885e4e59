#!/bin/bash
# Installs or removes: install.sh install|uninstall PREFIX DESTDIR [BINARY].
#
# The list of installed files is kept below PREFIX, so that exactly these are removed.
set -eu -o pipefail
action=$1 prefix=$2 target=$3 binary=${4:-}
here=$(dirname "$(readlink -f "$0")")
list=$target$prefix/share/doc/pathwise/installed-files

case $prefix in
/*) ;;
*) echo "install: PREFIX=$prefix has to begin with /" >&2; exit 64 ;;
esac
case $action in
install)
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    "$here/stage.sh" "$binary" "$work/stage" "$prefix"
    (cd "$work/stage" && find . -type f | sed 's#^\.##' | LC_ALL=C sort) >"$work/files"
    while read -r file; do
        install -D -m "$(stat -c %a "$work/stage$file")" "$work/stage$file" "$target$file"
    done <"$work/files"
    install -D -m 0644 "$work/files" "$list"
    echo "installed $(wc -l <"$work/files") files below $target$prefix"
    ;;
uninstall)
    [ -e "$list" ] || {
        echo "uninstall: $list is missing; give the PREFIX and DESTDIR of 'make install'" >&2
        exit 66
    }
    while read -r file; do
        rm -f "$target$file"
    done <"$list"
    rm -f "$list"
    # Other folders belong to the system, also if they are empty now.
    rmdir --ignore-fail-on-non-empty "$(dirname "$list")/examples" "$(dirname "$list")"
    echo "removed what was installed below $target$prefix; /etc/pathwise and state folders stay"
    ;;
*) echo "install: '$action' is neither install nor uninstall" >&2; exit 64 ;;
esac
