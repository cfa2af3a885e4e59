#!/usr/bin/env python3
"""A WebSocket (RFC 6455) that is held for minutes, for Benchmarks/forward.sh.

    websocket.py serve HOST:PORT            echo of text frames
    websocket.py hold HOST:PORT SECONDS     ten numbered texts a second; none may be missing or twice
"""
import base64
import hashlib
import os
import socket
import sys
import threading
import time

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def exactly(peer, count):
    data = b""
    while len(data) < count:
        part = peer.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def header(peer):
    lines = b""
    while not lines.endswith(b"\r\n\r\n"):
        lines += exactly(peer, 1)
    return lines.decode().split("\r\n")


def accept_key(key):
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def frame(text, is_masked):
    mask = os.urandom(4) if is_masked else b""
    body = bytes(b ^ mask[i % 4] for i, b in enumerate(text)) if is_masked else text
    return bytes([0x81, len(text) | (0x80 if is_masked else 0)]) + mask + body


def read(peer):
    _, length = exactly(peer, 2)
    mask = exactly(peer, 4) if length & 0x80 else b"\0\0\0\0"
    return bytes(b ^ mask[i % 4] for i, b in enumerate(exactly(peer, length & 0x7F)))


def answer(peer):
    lines = header(peer)
    key = next(l.split(":", 1)[1].strip() for l in lines if l.lower().startswith("sec-websocket-key"))
    peer.sendall(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n".encode())
    try:
        while True:
            peer.sendall(frame(read(peer), False))
    except (EOFError, OSError):
        peer.close()


def serve(address):
    server = socket.create_server(address)
    while True:
        peer, _ = server.accept()
        threading.Thread(target=answer, args=(peer,), daemon=True).start()


def hold(address, seconds):
    peer = socket.create_connection(address)
    key = base64.b64encode(os.urandom(16)).decode()
    peer.sendall(
        f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    assert any(accept_key(key) in line for line in header(peer)), "another key than the expected one"
    count = int(seconds * 10)

    def send():
        start = time.monotonic()
        for number in range(count):
            peer.sendall(frame(b"%d" % number, True))
            time.sleep(max(0, start + (number + 1) / 10 - time.monotonic()))

    threading.Thread(target=send, daemon=True).start()
    last, gap = time.monotonic(), 0.0
    for number in range(count):
        got = int(read(peer))
        assert got == number, f"text {got} where {number} was due"
        gap, last = max(gap, time.monotonic() - last), time.monotonic()
    print(f"WebSocket held for {seconds:.0f} s: {count} texts, each once and in order; longest gap {gap:.1f} s")


host, port = sys.argv[2].rsplit(":", 1)
if sys.argv[1] == "serve":
    serve((host, int(port)))
else:
    hold((host, int(port)), float(sys.argv[3]))
