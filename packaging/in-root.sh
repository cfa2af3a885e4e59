#!/bin/bash
# Runs the program in the folder of root.sh, without an engine: in-root.sh FOLDER [ARGUMENT...].
#
# It sees that folder alone and its own processes (the program reads its arguments in /proc); the network
# is that of this host, as with '--network host'. For root it is the image's user, else the caller.
set -eu
folder=$1
shift
user=(--map-root-user)
inside=()
if [ "$(id -u)" = 0 ]; then
    user=()
    inside=(--userspec=65532:65532)
fi
chroot=$(PATH=$PATH:/usr/sbin command -v chroot)
exec unshare "${user[@]}" --mount --pid --ipc --uts --fork --kill-child \
    --mount-proc="$folder/proc" \
    env -i HOME=/var/lib/pathwise "$chroot" "${inside[@]}" "$folder" /usr/bin/pathwise "$@"
