#!/usr/bin/env python3
"""Measures an honest `send` while recorded first messages are replayed to its receiver.

A relay records the first messages of 90 transfers of one client. They are then replayed at 1,000 a
second from three addresses of the loopback interface, each of which answers the receiver's cookies,
while another client sends files of five bytes. Prints figures without
judging them; needs no privileges.

    Benchmarks/replays.py [PATHWISE]     .build/release/pathwise by default
"""
import os
import select
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

RECORDED, RATE, SENDS = 90, 1000, 15
COOKIE_OFFSET, FIRST_MESSAGE, RETRY = 1184, 1, 3
pathwise = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else ".build/release/pathwise")
folder = tempfile.TemporaryDirectory(prefix="pathwise-replays-")
os.chdir(folder.name)


def run(*arguments):
    return subprocess.run([pathwise, *arguments], capture_output=True, text=True)


def udp(host="127.0.0.1"):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((host, 0))
    return made


server, recorded_client, honest_client = (
    run("keygen", name).stdout.strip() for name in ("server.key", "recorded.key", "honest.key"))
os.mkdir("in")
with open("file", "w") as file:
    file.write("hello")
receiver = subprocess.Popen(
    [pathwise, "receive", "--listen", "127.0.0.1:0", "--key", "server.key", "--allow",
     recorded_client, "--allow", honest_client, "--output", "in/"],
    stdout=subprocess.DEVNULL, stderr=open("receive.err", "w"))
while "listening on" not in open("receive.err").read():
    time.sleep(0.05)
port = int(open("receive.err").read().split("listening on")[1].split()[0].rsplit(":", 1)[1])


def send(key, to):
    return run("send", "file", "--to", f"127.0.0.1:{to}", "--key", key, "--peer", server)


def record():
    """Records the first messages of several transfers with a relay in between."""
    near, far, messages, over = udp(), udp(), [], threading.Event()
    far.connect(("127.0.0.1", port))

    def relay():
        client = None
        while not over.is_set():
            for ready in select.select([near, far], [], [], 0.2)[0]:
                if ready is near:
                    datagram, client = near.recvfrom(65536)
                    if datagram[0] == FIRST_MESSAGE:
                        messages.append(datagram)
                    far.send(datagram)
                elif client:
                    near.sendto(far.recv(65536), client)

    thread = threading.Thread(target=relay)
    thread.start()
    for _ in range(RECORDED):
        send("recorded.key", near.getsockname()[1])
    over.set()
    thread.join()
    return messages


def resident_memory():
    with open(f"/proc/{receiver.pid}/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmRSS"))


def honest_sends():
    times = []
    for _ in range(SENDS):
        start = time.monotonic()
        result = send("honest.key", port)
        times.append((time.monotonic() - start) * 1000)
        if result.returncode:
            print("failed:", result.stderr.strip())
    return times


messages = record()
time.sleep(6)  # Half-open connections of the recording are forgotten.
alone, before = honest_sends(), resident_memory()
over, sent = threading.Event(), 0


def replay():
    global sent
    sources = [[udp(f"127.0.0.{host}"), bytes(16)] for host in (2, 3, 4)]
    for source, _ in sources:
        source.setblocking(False)
    start = time.monotonic()
    while not over.is_set():
        while sent < (time.monotonic() - start) * RATE:
            source, cookie = sources[sent % len(sources)]
            message = messages[sent % len(messages)]
            source.sendto(message[:COOKIE_OFFSET] + cookie, ("127.0.0.1", port))
            sent += 1
        for entry in sources:
            try:
                while True:
                    answer = entry[0].recv(2048)
                    if answer[0] == RETRY:
                        entry[1] = answer[8:24]
            except BlockingIOError:
                pass
        time.sleep(0.001)


thread, start = threading.Thread(target=replay), time.monotonic()
thread.start()
time.sleep(1)
replayed = honest_sends()
over.set()
thread.join()
rate = sent / (time.monotonic() - start)
print(f"{len(messages)} first messages replayed {rate:.0f} times a second: an honest send of 5 bytes "
      f"takes {statistics.median(alone):.0f} ms alone (at most {max(alone):.0f}) and "
      f"{statistics.median(replayed):.0f} ms beside them (at most {max(replayed):.0f}); "
      f"the receiver has {before} MB before and {resident_memory()} MB after")
receiver.send_signal(signal.SIGINT)
receiver.wait()
