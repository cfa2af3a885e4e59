#!/bin/bash
# Makes the root folder of the container's image: root.sh BINARY FOLDER.
#
# It has the program, the libraries that it is linked with, a user, and nothing else: no shell.
set -eu -o pipefail
binary=$1 folder=$2
[ ! -e "$folder" ] || { echo "root: $folder exists; name a new folder" >&2; exit 73; }
install -d "$folder"/{dev,etc,proc,tmp} "$folder/usr/bin"
install -d -m 0700 "$folder/var/lib/pathwise"
chmod 1777 "$folder/tmp"
install -m 0755 "$binary" "$folder/usr/bin/pathwise"
strip --strip-unneeded "$folder/usr/bin/pathwise"
ldd "$binary" | grep -oE '/[^ ]+' | sort -u | while read -r library; do
    install -D -m 0755 "$(readlink -f "$library")" "$folder$library"
done
printf 'root:x:0:0::/:/nologin\npathwise:x:65532:65532::/var/lib/pathwise:/nologin\n' >"$folder/etc/passwd"
printf 'root:x:0:\npathwise:x:65532:\n' >"$folder/etc/group"
printf 'hosts: files dns\n' >"$folder/etc/nsswitch.conf"
if [ "$(id -u)" = 0 ]; then chown 65532:65532 "$folder/var/lib/pathwise"; fi
