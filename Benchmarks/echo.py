#!/usr/bin/env python3
"""Small TCP and UDP peers for Benchmarks/forward.sh and survive.sh.

    echo.py serve HOST:PORT            echo of both, until it is ended
    echo.py time tcp|udp HOST:PORT     median of 2,000 round trips of one byte, microseconds
    echo.py idle HOST:PORT COUNT       that many connections that have carried a byte, for a minute
    echo.py sink HOST:PORT             reads everything; answers each connection with its goodput
    echo.py push HOST:PORT SECONDS     writes for that time; prints its bytes, their goodput from the first
                                       write to the sink's answer, and that answer
    echo.py pages HOST:PORT            answers each line, a number, with that many bytes
    echo.py fetch HOST:PORT BYTES      ten times such an answer on a new connection, a second apart
    echo.py feed HOST:PORT SECONDS     6 Mbit/s of stamped datagrams of the size of 7 MPEG-TS packets
    echo.py reap HOST:PORT             reads them until none came for 3 s: how many, and their delays
"""
import os
import socket
import struct
import sys
import threading
import time


def place(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def each(connection, work):
    with connection:
        try:
            work(connection)
        except OSError:
            pass


def listen(address, work):
    server = socket.create_server(address, backlog=4096)
    while True:
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=each, args=(connection, work), daemon=True).start()


def echo_tcp(connection):
    while data := connection.recv(65536):
        connection.sendall(data)


def serve(address):
    def datagrams():
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(address)
        while True:
            data, source = udp.recvfrom(65535)
            udp.sendto(data, source)

    threading.Thread(target=datagrams, daemon=True).start()
    listen(address, echo_tcp)


def measure(kind, address):
    if kind == "tcp":
        peer = socket.create_connection(address)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        peer.connect(address)
    peer.settimeout(1)
    times = []
    for number in range(2200):
        start = time.perf_counter()
        peer.send(b"x")
        if peer.recv(64) != b"x":
            raise SystemExit("another answer than what was sent")
        if number >= 200:
            times.append(time.perf_counter() - start)
        time.sleep(0.0002)
    times.sort()
    print(f"{times[len(times) // 2] * 1e6:.0f} us")


def count(connection):
    total, first, marks = 0, None, []
    while data := connection.recv(1 << 20):
        now = time.monotonic()
        first = first or now
        total += len(data)
        marks.append((now - first, total))
    # The first two seconds are the start, as in the testbed's own figures.
    early = max((t for at, t in marks if at <= 2), default=0)
    seconds = marks[-1][0] - 2 if marks else 1
    gap = max((b[0] - a[0] for a, b in zip(marks, marks[1:])), default=0)
    rate = (total - early) * 8 / max(seconds, 0.1) / 1e6
    connection.sendall(f"{rate:.2f} without the first 2 s, longest gap {gap * 1000:.0f} ms".encode())


def push(address, seconds):
    peer = socket.create_connection(address)
    data, total, start = bytes(1 << 17), 0, time.monotonic()
    while time.monotonic() < start + seconds:
        peer.sendall(data)
        total += len(data)
    peer.shutdown(socket.SHUT_WR)
    answer = peer.recv(200).decode()
    rate = total * 8 / (time.monotonic() - start) / 1e6
    print(f"{total} bytes, {rate:.2f} Mbit/s, {answer}")


def answer(connection):
    while line := connection.recv(64):
        connection.sendall(bytes(int(line)))


def fetch(address, size):
    times = []
    for _ in range(10):
        start = time.monotonic()
        with socket.create_connection(address) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.sendall(f"{size}\n".encode())
            left = size
            while left > 0 and (data := peer.recv(1 << 20)):
                left -= len(data)
            if left:
                raise SystemExit(f"{left} bytes are missing")
        times.append((time.monotonic() - start) * 1000)
        time.sleep(1)
    print(f"{sorted(times)[5]:.0f} [{min(times):.0f}-{max(times):.0f}] ms")


def idle(address, count):
    peers = []
    for _ in range(count):
        peer = socket.create_connection(address)
        peer.send(b"x")
        peers.append(peer)
    for peer in peers:
        if peer.recv(1) != b"x":
            raise SystemExit("a connection without an answer")
    print(f"{count} open", flush=True)
    time.sleep(60)


def feed(address, seconds):
    """The stamps are of the clock that all processes of the host share."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    rest, gap, number = os.urandom(1316 - 8), 1316 * 8 / 6e6, 0
    start = time.monotonic()
    while number * gap < seconds:
        udp.sendto(struct.pack(">d", time.monotonic()) + rest, address)
        number += 1
        wait = start + number * gap - time.monotonic()
        if wait > 0:
            time.sleep(wait)


def reap(address):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(address)
    udp.settimeout(60)
    delays = []
    try:
        while True:
            data = udp.recv(65535)
            delays.append(time.monotonic() - struct.unpack(">d", data[:8])[0])
            udp.settimeout(3)
    except socket.timeout:
        pass
    delays.sort()
    count = len(delays)
    figures = [delays[min(count - 1, int(count * share))] * 1000 for share in (0.5, 0.99, 1)] if count else []
    print(f"{count} played, after p50 / p99 / max {' / '.join(f'{value:.0f}' for value in figures)} ms")


command, arguments = sys.argv[1], sys.argv[2:]
if command == "serve":
    serve(place(arguments[0]))
elif command == "time":
    measure(arguments[0], place(arguments[1]))
elif command == "idle":
    idle(place(arguments[0]), int(arguments[1]))
elif command == "sink":
    listen(place(arguments[0]), count)
elif command == "push":
    push(place(arguments[0]), float(arguments[1]))
elif command == "pages":
    listen(place(arguments[0]), answer)
elif command == "fetch":
    fetch(place(arguments[0]), int(arguments[1]))
elif command == "feed":
    feed(place(arguments[0]), float(arguments[1]))
elif command == "reap":
    reap(place(arguments[0]))
else:
    raise SystemExit(__doc__)
