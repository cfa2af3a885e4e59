#!/usr/bin/env python3
"""Plays the guides of docs/guides as they are written: guides.py [--write] [FILE...].

Each host of a guide is a network namespace with folders of its own, and its uplinks are emulated links to a
router. Lines of console blocks, as `van# pathwise status`, run on their host in order; files that a
guide shows are written there. A command that fails is a problem. With --write the lines below a command become what it
printed. Root, iproute2, curl and openssl are needed; PATHWISE names the binary (default: .build/release/pathwise).

What concerns a whole system is played by what it comes to: `systemctl` by the command of the unit, as
the service's user. Lines with `apt`, `make`, `ssh` and `systemctl status` are passed over (make deb-test has the package).
"""

import argparse
import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("PATHWISE", HERE / ".build/release/pathwise")).resolve()
USER = 65534
# Of each guide: the interfaces of the host that is not the server, with rate in Mbit/s, delay one way in ms, and loss.
LINKS = {
    "van.md": ("van", [("eth1", "100.64.7.2", 80, 22, 0.003), ("wwan0", "10.64.3.2", 30, 35, 0)]),
    "home.md": ("home", [("eth0", "192.168.178.20", 16, 14, 0), ("wwan0", "10.90.1.2", 60, 24, 0)]),
    "streamer.md": ("camera", [("wwan0", "10.64.3.2", 12, 30, 0), ("wwan1", "10.71.9.2", 9, 45, 0.005),
                               ("wlan0", "192.168.1.7", 20, 10, 0.01)]),
}
PASSED_OVER = re.compile(r"^(sudo )?(apt|make|ssh|scp|systemctl (status|edit)|journalctl)\b")
PROMPT = re.compile(r"^([a-z]+)([#$]) (.*)$")


def sh(*words):
    subprocess.run([str(w) for w in words], check=True, capture_output=True)


class Wire(threading.Thread):
    """An emulated link between network cards of two namespaces, with rate, delay one way and loss."""

    def __init__(self, ends, rate, delay, loss):
        super().__init__(daemon=True)
        self.cards = [self.card(*end) for end in ends]
        self.rate, self.delay, self.loss = rate * 1e6 / 8, delay / 1000, loss
        self.start()

    @staticmethod
    def card(namespace, name):
        """A TAP device in a namespace."""
        made = []

        def make():
            with open(f"/run/netns/{namespace}", "rb") as place:
                if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), 0x40000000) != 0:
                    return
            card = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(card, 0x400454CA, struct.pack("16sH14x", name.encode(), 0x1002))
            made.append(card)

        # Only the thread that asks for it changes its namespace.
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]

    def run(self):
        waiting, free, count = [], [0.0, 0.0], 0
        while True:
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                _, _, card, frame = heapq.heappop(waiting)
                with contextlib.suppress(OSError):
                    os.write(card, frame)
            ready, _, _ = select.select(self.cards, [], [], max(0, waiting[0][0] - now) if waiting else 1)
            now = time.monotonic()
            for card in ready:
                side = self.cards.index(card)
                try:
                    frame = os.read(card, 65536)
                except OSError:
                    return
                begin = max(now, free[side])
                # A queue of 100 ms, as is usual.
                if begin - now > 0.1 or random.random() < self.loss:
                    continue
                free[side] = begin + len(frame) / self.rate
                count += 1
                heapq.heappush(waiting, (free[side] + self.delay, count, self.cards[1 - side], frame))


class Scene:
    """A server, one other host, and the router between them."""

    def __init__(self, guide):
        self.folder = Path(tempfile.mkdtemp(prefix="pathwise-guide-"))
        self.folder.chmod(0o755)
        self.mark = f"g{os.getpid()}"
        host, links = LINKS[guide]
        self.hosts = ["server", host]
        self.running, self.token, self.secret = {}, None, None
        self.add("net")
        for name in self.hosts:
            self.add(name)
            here = self.folder / name
            for part in ("lib/pathwise", "run", "home"):
                (here / part).mkdir(parents=True)
            shutil.copytree("/etc", here / "etc", symlinks=True)
            (here / "etc/pathwise").mkdir()
            (here / "lib/pathwise").chmod(0o700)
            os.chown(here / "lib/pathwise", USER, USER)
        # As packaging/deb.sh makes it.
        example = subprocess.run([BINARY, "config", "example", "serve"], capture_output=True, text=True, check=True).stdout
        (self.folder / "server/etc/pathwise/serve.toml").write_text(example.replace("#state = ", "state = ", 1))
        self.link("server", "eth0", "203.0.113.10", 0, None)
        # A page of the internet, for the server.
        with open(self.folder / "server/etc/hosts", "a") as hosts:
            hosts.write("203.0.113.10 example.com\n")
        self.running["server", "page"] = subprocess.Popen(
            self.words("server", "exec python3 -m http.server 80"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for order, link in enumerate(links):
            self.link(host, link[0], link[1], 100 * (order + 1), link)
        sh("ip", "netns", "exec", self.ns("net"), "sysctl", "-qw", "net.ipv4.ip_forward=1")

    def ns(self, name):
        return f"{self.mark}-{name}"

    def add(self, name):
        sh("ip", "netns", "add", self.ns(name))
        sh("ip", "-n", self.ns(name), "link", "set", "lo", "up")

    def link(self, host, interface, address, metric, shape):
        end = f"r-{interface}-{host}"[:15]
        router = address.rsplit(".", 1)[0] + ".1"
        if shape:
            Wire([(self.ns("net"), end), (self.ns(host), interface)], *shape[2:])
        else:
            sh("ip", "link", "add", end, "netns", self.ns("net"), "type", "veth", "peer", "name", interface,
               "netns", self.ns(host))
        for where, name, own in ((self.ns("net"), end, router), (self.ns(host), interface, address)):
            sh("ip", "-n", where, "addr", "add", f"{own}/24", "dev", name)
            sh("ip", "-n", where, "link", "set", name, "up")
        sh("ip", "-n", self.ns(host), "route", "add", "default", "via", router, "dev", interface,
           *(("metric", metric) if metric else ()))

    def words(self, host, command, user=None):
        """The words that run a command of the shell on a host."""
        here = self.folder / host
        places = (("etc", "/etc"), ("lib", "/var/lib"), ("run", "/run"))
        mounts = "mount --make-rprivate / && " + " && ".join(
            f"mount --bind {here / part} {place}" for part, place in places)
        become = f"setpriv --reuid={user} --regid={user} --clear-groups --no-new-privs " if user else ""
        inner = f"{mounts} && cd {'/var/lib/pathwise' if user else here / 'home'} && exec {become}bash -c \"$1\""
        return ["ip", "netns", "exec", self.ns(host), "env", "-i", f"PATH={self.bin()}:/usr/sbin:/usr/bin:/sbin:/bin",
                f"HOME={here / 'home'}", "LC_ALL=C", "bash", "-c", inner, "_", command]

    def bin(self):
        place = self.folder / "bin"
        if not place.exists():
            place.mkdir()
            shutil.copy(BINARY, place / "pathwise")
        return place

    def start(self, host, unit):
        """Starts the command of a unit, as systemd does."""
        name, _, instance = unit.removesuffix(".service").partition("@")
        file = HERE / "packaging/systemd" / (f"{name}@.service" if instance else f"{name}.service")
        command = re.search(r"^ExecStart=(.*)$", file.read_text(), re.M)[1]
        command = "exec " + command.replace("@bindir@/", "").replace("%i", instance)
        log = open(self.folder / f"{host}-{unit}.log", "ab")
        self.running[host, unit] = subprocess.Popen(self.words(host, command, USER), stdout=log, stderr=log)
        time.sleep(2)
        if self.running[host, unit].poll() is not None:
            raise RuntimeError(f"{unit} ended: {(self.folder / f'{host}-{unit}.log').read_text()}")

    def systemctl(self, host, line):
        verb, unit = line.split()[1], line.split()[-1].removesuffix(".service")
        if verb in ("enable", "start"):
            self.start(host, unit)
        elif verb == "reload":
            self.running[host, unit].send_signal(signal.SIGHUP)
            time.sleep(1)
        else:
            raise RuntimeError(f"{line}: not played")

    def run(self, host, line):
        """What a line printed, and its exit code; nil if it is passed over."""
        if PASSED_OVER.match(line):
            return None
        if line.startswith("systemctl "):
            self.systemctl(host, line)
            return "", 0
        if self.token:
            line = re.sub(r"pathwise1-\S+", self.token, line)
        done = subprocess.run(self.words(host, line), capture_output=True, text=True, timeout=120)
        text = done.stdout + done.stderr
        found = re.search(r"pathwise1-\S+", text)
        if found:
            self.token = found[0]
            time.sleep(1)
        return text, done.returncode

    def close(self):
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            process.wait(20)
        for name in ["net", *self.hosts]:
            pids = subprocess.run(["ip", "netns", "pids", self.ns(name)], capture_output=True, text=True).stdout.split()
            for pid in pids:
                os.kill(int(pid), signal.SIGTERM)
            sh("ip", "netns", "del", self.ns(name))
        shutil.rmtree(self.folder, ignore_errors=True)


def hidden(text):
    """What is printed, without what would be a secret, and without blank lines at the end."""
    text = re.sub(r"pathwise1-\S+", "pathwise1-...", text)
    return [line.rstrip() for line in text.rstrip("\n").split("\n")] if text.strip() else []


def play(path, write):
    """Plays one guide; returns its problems."""
    scene, problems, out = Scene(path.name), [], []
    lines, index, named = path.read_text().splitlines(), 0, None
    try:
        while index < len(lines):
            line = lines[index]
            file = re.search(r"`(/etc/pathwise/\S+)` on (?:the )?(\w+)", line)
            named = (file[1], file[2]) if file else named
            out.append(line)
            index += 1
            if not line.startswith("```"):
                continue
            end = lines.index("```", index)
            block = lines[index:end]
            index = end + 1
            if line == "```toml" and named:
                place = scene.folder / named[1] / "etc/pathwise" / Path(named[0]).name
                place.write_text("\n".join(block) + "\n")
                place.chmod(0o644)
                named = None
                out += [*block, "```"]
                continue
            position = 0
            while position < len(block):
                found = PROMPT.match(block[position])
                out.append(block[position])
                position += 1
                if not found or found[1] not in scene.hosts:
                    continue
                command = found[3]
                while command.endswith("\\"):
                    command = command[:-1] + block[position].strip()
                    out.append(block[position])
                    position += 1
                old = position
                while position < len(block) and not PROMPT.match(block[position]):
                    position += 1
                result = scene.run(found[1], command)
                if result is None:
                    out += block[old:position]
                    continue
                text, code = result
                print(f"{found[1]}{found[2]} {command}\n{text}", end="", flush=True)
                if code != 0:
                    problems.append(f"{path.name}: {command}: exit code {code}")
                    print(f"FAIL exit code {code}", flush=True)
                out += hidden(text) if block[old:position] else []
            out.append("```")
    finally:
        for log in scene.folder.glob("*.log"):
            print(f"--- {log.name}\n{log.read_text()}", end="")
        scene.close()
    if write:
        path.write_text("\n".join(out) + "\n")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write into the guides what was printed")
    parser.add_argument("files", nargs="*", type=Path, default=[HERE / "docs/guides" / name for name in LINKS])
    options = parser.parse_args()
    problems = [problem for file in options.files for problem in play(file, options.write)]
    print("\n".join(problems) or "all commands of the guides work")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
