#!/usr/bin/env python3
"""What flows notice of a reload: reload.py [--flows 500] [--rounds 10].

A serve and a forward with a file run on loopback, with a fifth of the flows as datagrams and the rest
as TCP connections to an echo. Every two milliseconds the next five flows send 64 bytes, so that a
pause of the forward shows as an echo that is late. In each round both sides read other files:
a path is added or removed, another one gets a limit, a price and a cap, a forward comes or goes, both
sides get another policy, and the server allows other targets. It prints how late an echo was, and the
longest time without any, in the two seconds around each reload and in the two seconds before. PATHWISE
names the binary (default: .build/release/pathwise).
"""

import argparse
import os
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing import Process, Queue
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from start_stop import BINARY, Run  # noqa: E402

TICK = 0.002
FLOWS_A_TICK = 5


def echo(ports: Queue) -> None:
    """Echoes TCP and datagrams on one port each."""
    selector = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    for one in (listener, datagrams):
        one.setblocking(False)
        selector.register(one, selectors.EVENT_READ)
    ports.put((listener.getsockname()[1], datagrams.getsockname()[1]))
    while True:
        for key, _ in selector.select():
            one = key.fileobj
            if one is listener:
                peer, _ = listener.accept()
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(peer, selectors.EVENT_READ)
            elif one is datagrams:
                data, source = datagrams.recvfrom(2048)
                datagrams.sendto(data, source)
            else:
                try:
                    data = one.recv(65536)
                    one.sendall(data)
                except OSError:
                    # A forward that ends resets its connections.
                    data = b""
                if not data:
                    selector.unregister(one)
                    one.close()


class Flows:
    """Flows in turn, from one thread; late echoes and pauses by the time at which they came."""

    def __init__(self, tcp: list[int], udp: list[int]) -> None:
        self.selector = selectors.DefaultSelector()
        self.sockets: list[socket.socket] = []
        for kind, ports in ((socket.SOCK_STREAM, tcp), (socket.SOCK_DGRAM, udp)):
            for port in ports:
                one = socket.socket(socket.AF_INET, kind)
                one.connect(("127.0.0.1", port))
                if kind == socket.SOCK_STREAM:
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                one.setblocking(False)
                self.selector.register(one, selectors.EVENT_READ, len(self.sockets))
                self.sockets.append(one)
        self.sent: list[list[float]] = [[] for _ in self.sockets]
        self.echoes: list[tuple[float, float]] = []
        self.broken: list[str] = []
        self.over = False
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        turn, due = 0, time.perf_counter()
        while not self.over:
            now = time.perf_counter()
            if now >= due:
                due = max(due + TICK, now - TICK)
                for _ in range(FLOWS_A_TICK):
                    self.send(turn)
                    turn = (turn + 1) % len(self.sockets)
            for key, _ in self.selector.select(max(0, due - time.perf_counter())):
                self.take(key.data)

    def send(self, number: int) -> None:
        try:
            self.sockets[number].send(b"x" * 64)
            self.sent[number].append(time.perf_counter())
        except OSError as error:
            self.broken.append(f"flow {number}: {error}")

    def take(self, number: int) -> None:
        try:
            data = self.sockets[number].recv(65536)
        except OSError as error:
            data = b""
            self.broken.append(f"flow {number}: {error}")
        now = time.perf_counter()
        if not data:
            self.broken.append(f"flow {number} ended")
            self.selector.unregister(self.sockets[number])
        for _ in range(len(data) // 64):
            if self.sent[number]:
                self.echoes.append((now, now - self.sent[number].pop(0)))

    def figures(self, begin: float, end: float) -> tuple[float, float, int]:
        """The latest echo and the longest time without one, seconds, and how many there were."""
        there = [(moment, late) for moment, late in self.echoes if begin <= moment < end]
        moments = [begin] + [moment for moment, _ in there] + [end]
        pause = max(b - a for a, b in zip(moments, moments[1:]))
        return max((late for _, late in there), default=end - begin), pause, len(there)


def forward_file(goals: tuple[int, int], other: bool) -> str:
    more = ', "socks:0"' if other else ""
    policy = "min-rtt" if other else "learned"
    text = f'[forward]\npolicy = "{policy}"\nforwards = ["tcp:0=127.0.0.1:{goals[0]}", "udp:0=127.0.0.1:{goals[1]}"{more}]\n'
    text += '[[path]]\nname = "a"\naddress = "127.0.0.1"\n'
    text += 'price = 2\nlimit = "900mbit"\ncap = "50GB/month"\n' if other else ""
    return text + f'[[path]]\nname = "{"c" if other else "b"}"\naddress = "127.0.0.2"\n'


def serve_file(other: bool) -> str:
    more = '"10.0.0.0/8:443", ' if other else ""
    policy = "round-robin" if other else "learned"
    return f'[serve]\npolicy = "{policy}"\nforward-allow = [{more}"127.0.0.0/8:*"]\nclient-rate = "{2 if other else 3}gbit"\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    ports: Queue = Queue()
    echoing = Process(target=echo, args=(ports,), daemon=True)
    echoing.start()
    goals = ports.get()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {"serve": folder / "serve.toml", "forward": folder / "forward.toml"}
        files["serve"].write_text(serve_file(False))
        files["forward"].write_text(forward_file(goals, False))
        states = {"serve": f"{folder}/server", "forward": f"{folder}/client"}
        serve = Run("serve", "--config", files["serve"], "--listen", "127.0.0.1:0", "--state", states["serve"])
        token = re.search(r"pathwise1-\S+", serve.until("pathwise1-")[1])[0]
        subprocess.run(
            [BINARY, "join", token, "--state", states["forward"]], check=True, stdout=subprocess.DEVNULL
        )
        forward = Run("forward", "--config", files["forward"], "--state", states["forward"])
        forward.until("connected over")
        tcp = int(re.search(r"127\.0\.0\.1:(\d+)", forward.until("tcp: listening on")[1])[1])
        udp = int(re.search(r"127\.0\.0\.1:(\d+)", forward.until("udp: listening on")[1])[1])
        datagrams = arguments.flows // 5
        flows = Flows([tcp] * (arguments.flows - datagrams), [udp] * datagrams)
        flows.thread.start()
        time.sleep(3)
        rows = []
        for round_ in range(arguments.rounds):
            begin = time.perf_counter()
            time.sleep(2)
            start = time.perf_counter()
            time.sleep(0.5)
            files["forward"].write_text(forward_file(goals, round_ % 2 == 0))
            files["serve"].write_text(serve_file(round_ % 2 == 0))
            took = []
            for side in ("forward", "serve"):
                moment = time.perf_counter()
                subprocess.run(
                    [BINARY, "reload", "--state", states[side]], check=True, stdout=subprocess.DEVNULL
                )
                took.append(time.perf_counter() - moment)
            time.sleep(1.5 - sum(took) if sum(took) < 1.5 else 0)
            end = time.perf_counter()
            rows.append((flows.figures(begin, start), flows.figures(start, end), took))
        flows.over = True
        flows.thread.join()
        assert "not while it runs" not in "".join(line for _, line in forward.lines + serve.lines)
        reloads = [line for _, line in forward.lines if "reload: " in line]
        assert len(reloads) == arguments.rounds, reloads
        forward.stop()
        serve.stop()
    echoing.terminate()
    print(f"{arguments.flows} flows ({datagrams} of datagrams), {arguments.rounds} rounds, milliseconds")
    print(f"{'':10}{'latest echo':>22}{'longest pause':>22}{'reload takes':>18}")
    print(f"{'round':10}{'before':>11}{'reload':>11}{'before':>11}{'reload':>11}{'forward':>9}{'serve':>9}")
    for number, (before, around, took) in enumerate(rows, 1):
        figures = [before[0], around[0], before[1], around[1]]
        text = "".join(f"{1000 * value:11.1f}" for value in figures)
        print(f"{number:<10}{text}" + "".join(f"{1000 * value:9.1f}" for value in took))
    worst = max(around[1] for _, around, _ in rows)
    echoes = sum(around[2] for _, around, _ in rows)
    print(f"{echoes} echoes around reloads; flows broken: {len(flows.broken)}; longest pause {1000 * worst:.1f}")
    for text in flows.broken[:5]:
        print(text)
    sys.exit(1 if flows.broken else 0)


if __name__ == "__main__":
    main()
