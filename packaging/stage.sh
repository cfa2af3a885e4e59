#!/bin/bash
# Puts all files of an installation into a folder: stage.sh BINARY FOLDER PREFIX.
#
# Manual pages, completions and example files are made by the program itself, so they cannot differ
# from it.
set -eu -o pipefail
binary=$1 folder=$2 prefix=$3
here=$(dirname "$(readlink -f "$0")")
root=$folder$prefix

# Debian's zsh looks below /usr in another folder than below /usr/local.
zsh=$root/share/zsh/site-functions
[ "$prefix" != /usr ] || zsh=$root/share/zsh/vendor-completions
bash=$root/share/bash-completion/completions
fish=$root/share/fish/vendor_completions.d
units=$root/lib/systemd/system
[ "$prefix" != /usr ] || units=$folder/lib/systemd/system
documents=$root/share/doc/pathwise

install -d "$root/bin" "$root/share/man/man1" "$bash" "$zsh" "$fish" "$units" "$documents/examples"
install -m 0755 "$binary" "$root/bin/pathwise"
"$binary" --generate-completion-script bash >"$bash/pathwise"
"$binary" --generate-completion-script zsh >"$zsh/_pathwise"
"$binary" --generate-completion-script fish >"$fish/pathwise.fish"
topics=$(mktemp)
"$binary" topic --json >"$topics"
"$binary" --experimental-dump-help | python3 "$here/man.py" "$root/share/man/man1" "$topics"
rm "$topics"
for unit in "$here"/systemd/*.service; do
    sed "s#@bindir@#$prefix/bin#" "$unit" >"$units/$(basename "$unit")"
done
for command in serve forward send; do
    "$binary" config example "$command" >"$documents/examples/$command.toml"
done
install -m 0644 "$here/../LICENSE" "$documents/copyright"
install -m 0644 "$here/../docs/configuration.md" "$documents/"
gzip -9n "$root"/share/man/man1/*.1
find "$folder" -type f ! -path "$root/bin/*" -exec chmod 0644 {} +
