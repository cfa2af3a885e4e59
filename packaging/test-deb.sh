#!/bin/bash
# Installs the package in a fresh Debian, runs it, upgrades it and removes it: test-deb.sh BINARY [FOLDER].
#
# Root, debootstrap, dpkg-dev and a mirror of Debian are needed. Everything is below FOLDER (a new
# temporary one otherwise), the network is a namespace of its own after the installation, and both are
# gone at the end.
set -eu -o pipefail
binary=$(readlink -f "$1")
work=$(readlink -m "${2:-$(mktemp -d)}")
here=$(dirname "$(readlink -f "$0")")
root=$work/root
step=0
say() { step=$((step + 1)); echo "$step. $*"; }
fail() { echo "test-deb: $*" >&2; exit 1; }
in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
    DEBIAN_FRONTEND=noninteractive "$@"; }

[ "$(id -u)" = 0 ] || fail "become root"
# The mounts of this run vanish with its namespaces, and its processes too. The program needs a /proc that
    # has it: libdispatch ends a process whose threads it does not find there.
if [ -z "${PATHWISE_TEST_DEB:-}" ]; then
    exec env PATHWISE_TEST_DEB=1 unshare --mount-proc --pid --fork --kill-child "$0" "$binary" "$work"
fi
mount --make-rprivate /
trap 'umount -l "$root/proc" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir -p "$work"

first=$("$here/deb.sh" "$binary" "$work" 1)
say "package: $(basename "$first"), $(($(stat -c %s "$first") / 1024)) kB"
debootstrap --variant=minbase bookworm "$root" >"$work/debootstrap.log" 2>&1 \
    || { tail -5 "$work/debootstrap.log"; fail "debootstrap"; }
mount -t proc proc "$root/proc"
cp "$first" "$root/tmp/"
in_root apt-get update -q >"$work/apt.log" 2>&1 || { tail -5 "$work/apt.log"; fail "apt-get update"; }
in_root apt-get install -y -q --no-install-recommends "/tmp/$(basename "$first")" >>"$work/apt.log" 2>&1 \
    || { tail -20 "$work/apt.log"; fail "apt-get install"; }
grep -q "pathwise invite NAME" "$work/apt.log" || fail "the installation does not say what comes next"
in_root pathwise --version >/dev/null || fail "the program does not start"
say "installed in a fresh Debian: version $(in_root pathwise --version)"

[ "$(in_root stat -c '%U %a' /var/lib/pathwise)" = "pathwise 700" ] || fail "owner of /var/lib/pathwise"
in_root sh -c 'test -s /usr/share/man/man1/pathwise-serve.1.gz && test -s /etc/pathwise/serve.toml \
    && test -s /lib/systemd/system/pathwise-serve.service \
    && test -s /usr/share/bash-completion/completions/pathwise' || fail "a file is missing"
in_root pathwise config check /etc/pathwise/serve.toml >/dev/null || fail "the shipped configuration"

# What the unit starts, as its user; root invites, and the client joins and forwards.
cat >"$root/tmp/run" <<'SCRIPT'
set -eu
as() { setpriv --reuid=pathwise --regid=pathwise --clear-groups --no-new-privs "$@"; }
command=$(sed -n 's/^ExecStart=//p' /lib/systemd/system/pathwise-serve.service)
as $command --listen 127.0.0.1:7000 >/tmp/serve.log 2>&1 &
server=$!
for _ in $(seq 100); do grep -q "listening on" /tmp/serve.log && break; sleep 0.05; done
pathwise invite van --public 127.0.0.1:7000 >/tmp/invite.txt
sleep 1
token=$(grep -o 'pathwise1-[^ ]*' /tmp/invite.txt)
HOME=/tmp/client pathwise join "$token" >/tmp/join.txt
(while :; do echo answer; sleep 0.1; done) >/tmp/source &
HOME=/tmp/client pathwise forward tcp:7999=127.0.0.1:7998 >/tmp/forward.log 2>&1 &
client=$!
for _ in $(seq 100); do grep -q "connected over" /tmp/forward.log && break; sleep 0.05; done
grep "connected over" /tmp/forward.log
pathwise status --state /var/lib/pathwise | grep -q van || { echo "no van in status"; exit 1; }
kill $client
kill $server
wait $server || code=$?
echo "serve ended with ${code:-0}"
kill %2 2>/dev/null || true
SCRIPT
cat >"$work/netns" <<SCRIPT
ip link set lo up 2>/dev/null || true
exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C bash /tmp/run
SCRIPT
unshare --net bash "$work/netns" >"$work/run.log" 2>&1 || { cat "$work/run.log"; tail -3 "$root"/tmp/*.log "$root"/tmp/*.txt; fail "serve and forward"; }
grep -q "serve ended with 143" "$work/run.log" || { cat "$work/run.log"; fail "the end of serve"; }
say "serves as its user, a client joined and forwards, SIGTERM ends it"

# An upgrade keeps a configuration that was changed.
echo 'hold = "30min"' >>"$root/etc/pathwise/serve.toml"
before=$(md5sum <"$root/var/lib/pathwise/clients")
second=$("$here/deb.sh" "$binary" "$work" 2)
cp "$second" "$root/tmp/"
in_root apt-get install -y -q "/tmp/$(basename "$second")" >>"$work/apt.log" 2>&1 || fail "upgrade"
in_root dpkg-query -W -f '${Version}\n' pathwise | grep -q -- '-2$' || fail "the version after the upgrade"
tail -1 "$root/etc/pathwise/serve.toml" | grep -q 30min || fail "the upgrade lost the configuration"
[ "$(md5sum <"$root/var/lib/pathwise/clients")" = "$before" ] || fail "the upgrade changed the state"
say "upgraded, with configuration and clients kept"

in_root apt-get remove -y -q pathwise >>"$work/apt.log" 2>&1 || fail "remove"
[ ! -e "$root/usr/bin/pathwise" ] || fail "the program is still there"
[ -e "$root/etc/pathwise/serve.toml" ] && [ -e "$root/var/lib/pathwise/clients" ] || fail "remove took too much"
in_root apt-get purge -y -q pathwise >>"$work/apt.log" 2>&1 || fail "purge"
left=$(cd "$root" && find . -xdev -iname '*pathwise*' ! -path './tmp/*' ! -path './proc/*' ! -path './var/cache/apt/*')
[ -z "$left" ] || fail "left after the purge: $left"
say "removed: configuration and state stay; purged: nothing stays"
