#!/usr/bin/env python3
"""How long serve and forward take to be ready, and to end on SIGTERM: start_stop.py [--runs 20].

Ready is the line of the log that says where it listens, read through a pipe; the end is that of the
process. Processor time is that of the whole run, which is little more than start and end. The forward
has a session, and 20 open TCP connections when it is ended, each of which has to learn of it. PATHWISE names the binary (default: .build/release/pathwise).
"""

import argparse
import contextlib
import os
import re
import socket
import socketserver
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

BINARY = os.environ.get("PATHWISE", ".build/release/pathwise")
FLOWS = 20


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        # A forward that ends resets its connections.
        with contextlib.suppress(ConnectionError):
            while data := self.request.recv(65536):
                self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


class Run:
    """A running command, whose log is read by a thread."""

    def __init__(self, *words: str) -> None:
        self.start = time.perf_counter()
        self.process = subprocess.Popen(
            [BINARY, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[tuple[float, str]] = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self) -> None:
        for line in self.process.stdout:
            self.lines.append((time.perf_counter(), line))

    def until(self, text: str, patience: float = 20) -> tuple[float, str]:
        """Seconds from the start to the first line with a text, and that line."""
        end = time.perf_counter() + patience
        while time.perf_counter() < end:
            for moment, line in self.lines:
                if text in line:
                    return moment - self.start, line
            time.sleep(0.0005)
        raise SystemExit(f"no '{text}' in: {''.join(line for _, line in self.lines)}")

    def stop(self) -> tuple[float, float]:
        """Seconds to the end, and seconds of processor time of the whole run."""
        start = time.perf_counter()
        self.process.terminate()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return time.perf_counter() - start, usage.ru_utime + usage.ru_stime


def one(folder: Path, target: int) -> dict[str, float]:
    figures = {}
    serve = Run("serve", "--config", "none", "--listen", "127.0.0.1:0", "--state", f"{folder}/server")
    figures["serve: start to ready"], _ = serve.until("listening on")
    client = f"{folder}/client"
    if not Path(client).exists():
        _, line = serve.until("pathwise1-")
        token = re.search(r"pathwise1-\S+", line)[0]
        subprocess.run([BINARY, "join", token, "--state", client], check=True, stdout=subprocess.DEVNULL)
    address = re.search(r"127\.0\.0\.1:\d+", serve.until("listening on")[1])[0]
    forward = Run(
        "forward", "--config", "none", f"tcp:0=127.0.0.1:{target}", "--state", client, "--to", address
    )
    figures["forward: start to ready"], line = forward.until("listening on")
    figures["forward: start to session"], _ = forward.until("connected over")
    port = int(re.search(r"127\.0\.0\.1:(\d+)", line)[1])
    flows = [socket.create_connection(("127.0.0.1", port)) for _ in range(FLOWS)]
    for flow in flows:
        flow.sendall(b"x" * 1000)
    for flow in flows:
        flow.settimeout(10)
        assert flow.recv(1000)
    figures[f"forward: SIGTERM to end, {FLOWS} flows"], used = forward.stop()
    figures["forward: processor time in all"] = used
    told = sum(1 for flow in flows if over(flow))
    assert told == FLOWS, f"{told} of {FLOWS} flows were told"
    figures["serve: SIGTERM to end"], used = serve.stop()
    figures["serve: processor time in all"] = used
    return figures


def over(flow: socket.socket) -> bool:
    try:
        while flow.recv(65536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    echo = Server(("127.0.0.1", 0), Echo)
    threading.Thread(target=echo.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        results = [one(Path(name), echo.server_address[1]) for _ in range(runs)]
    print(f"{'milliseconds, ' + str(runs) + ' runs':<36}{'median':>8}{'least':>8}{'most':>8}")
    for key in results[0]:
        values = [1000 * result[key] for result in results]
        print(f"{key:<36}{statistics.median(values):8.1f}{min(values):8.1f}{max(values):8.1f}")


if __name__ == "__main__":
    main()
