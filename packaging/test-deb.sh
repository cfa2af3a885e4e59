#!/bin/bash
# Installs the package in a fresh Debian, runs it, upgrades it and removes it: test-deb.sh BINARY [FOLDER].
#
# Root, debootstrap, dpkg-dev, iproute2, curl and a mirror of Debian are needed. Everything is below FOLDER (a new
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

# Five commands lead to a working forward, each printed by one before: the installation prints how to
# start the service and to invite, the invitation how to join, and joining how to forward. Without systemd
# the service's command is that of the unit, as its user. The server and the client have a network
# namespace each.
grep -q "systemctl enable --now pathwise-serve" "$work/apt.log" || fail "the installation does not print how to start"
cat >"$work/network" <<SCRIPT
set -eu -o pipefail
here() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "\$@"; }
there() { ip netns exec client chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/tmp/client "\$@"; }
wait_for() { for _ in \$(seq 200); do grep -q "\$1" "\$2" 2>/dev/null && return; sleep 0.05; done; echo "no '\$1' in \$2"; exit 1; }
mount -t tmpfs tmpfs /run
ip netns add client
ip link set lo up
ip link add v0 type veth peer name v1 netns client
ip addr add 192.0.2.1/24 dev v0
ip link set v0 up
ip -n client link set lo up
ip -n client addr add 192.0.2.2/24 dev v1
ip -n client link set v1 up
mkdir "$work/www"
echo "through the forward" >"$work/www/page"
python3 -m http.server -d "$work/www" -b 127.0.0.1 8080 >"$work/www.log" 2>&1 &
web=\$!
command=\$(sed -n 's/^ExecStart=//p' "$root/lib/systemd/system/pathwise-serve.service")
here setpriv --reuid=pathwise --regid=pathwise --clear-groups --no-new-privs \$command >"$root/tmp/serve.log" 2>&1 &
server=\$!
wait_for "listening on" "$root/tmp/serve.log"
invite=\$(grep -o "pathwise invite NAME" "$work/apt.log" | head -1)
here \${invite/NAME/van} >"$root/tmp/invite.txt"
# The server looks at its files four times a second.
sleep 1
join=\$(grep -o "pathwise join pathwise1-[^ ]*" "$root/tmp/invite.txt" | head -1)
there \$join >"$root/tmp/join.txt"
forward=\$(sed -n "s/^ *\\(pathwise forward .*\\)/\\1/p" "$root/tmp/join.txt" | head -1)
there \$forward >"$root/tmp/forward.log" 2>&1 &
client=\$!
wait_for "connected over" "$root/tmp/forward.log"
echo "commands: apt install, systemctl enable --now pathwise-serve, \$invite, pathwise join TOKEN, \$forward"
ip netns exec client curl -sSf -m 10 http://127.0.0.1:8080/page
here pathwise status --state /var/lib/pathwise | grep -q van || { echo "no van in status"; exit 1; }
kill \$client
kill \$server
wait \$server || code=\$?
echo "serve ended with \${code:-0}"
kill \$web
SCRIPT
unshare --net --mount bash "$work/network" >"$work/run.log" 2>&1 || { cat "$work/run.log"; tail -n 3 "$root"/tmp/*.log "$root"/tmp/*.txt; fail "serve and forward"; }
grep -q "^through the forward$" "$work/run.log" || { cat "$work/run.log"; fail "the page through the forward"; }
grep -q "serve ended with 143" "$work/run.log" || { cat "$work/run.log"; fail "the end of serve"; }
say "$(sed -n 's/^commands: /five commands to a page through a forward: /p' "$work/run.log")"
say "served as its user; SIGTERM ended it"

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
