"""Programs, relays and requests for the measurements and tests of --http."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from pathlib import Path

BINARY = os.environ.get("PATHWISE", ".build/release/pathwise")


class Program:
    """A running command, whose log is read by a thread."""

    def __init__(self, *words):
        self.process = subprocess.Popen(
            [BINARY, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line)
            del self.lines[:-500]

    def until(self, pattern, patience=30):
        """The match of the first line that has the pattern."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            for line in list(self.lines):
                found = re.search(pattern, line)
                if found:
                    return found
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise RuntimeError(f"no {pattern!r} in {''.join(self.lines)}")

    def watched(self):
        """The port of --http."""
        return int(self.until(r"watch this process at http://127\.0\.0\.1:(\d+)/")[1])

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def seconds(self):
        """Processor time so far."""
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self):
        """Resident memory, bytes."""
        words = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(words[1]) * os.sysconf("SC_PAGESIZE")


def run(*words):
    """The output of a command that ends."""
    done = subprocess.run([BINARY, *map(str, words)], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")
    return done.stdout


def get(port, path, token=None):
    """The body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]}")
        return body
    finally:
        connection.close()


class Echo(socketserver.ThreadingTCPServer):
    """Sends back what it gets, on a port of loopback."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):
                while data := self.request.recv(65536):
                    self.request.sendall(data)

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Relay:
    """A path: a port of loopback whose datagrams go to the server and back, unless it is cut."""

    def __init__(self, server):
        self.server = server
        self.is_cut = False
        self.down = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.down.bind(("127.0.0.1", 0))
        self.port = self.down.getsockname()[1]
        self.up = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.up.connect(server)
        for one in (self.down, self.up):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self.client = None
        threading.Thread(target=self.forth, daemon=True).start()
        threading.Thread(target=self.back, daemon=True).start()

    def forth(self):
        while True:
            data, self.client = self.down.recvfrom(65536)
            if not self.is_cut:
                with contextlib.suppress(OSError):
                    self.up.send(data)

    def back(self):
        while True:
            with contextlib.suppress(OSError):
                data = self.up.recv(65536)
                if not self.is_cut and self.client:
                    self.down.sendto(data, self.client)


class Pair:
    """A server that `van` has joined, and its forward over two relays `dsl` and `lte`."""

    def __init__(self, server_words=(), forward_words=()):
        self.folder = tempfile.TemporaryDirectory(prefix="pathwise-watch-", ignore_cleanup_errors=True)
        here = Path(self.folder.name)
        # The programs may belong to another user.
        here.chmod(0o777)
        self.echo = Echo()
        self.server = Program(
            "serve", "--state", here / "server", "--listen", "127.0.0.1:0", "--forward-allow",
            "127.0.0.1:*", "--http", "127.0.0.1:0", *server_words)
        address = self.server.until(r"listening on ([0-9.:]+)")[1]
        host, port = address.rsplit(":", 1)
        token = self.server.until(r"(pathwise1-\S+)")[1]
        run("join", token, "--state", here / "van", "--as", "van")
        self.relays = {name: Relay((host, int(port))) for name in ("dsl", "lte")}
        paths = []
        for name, relay in self.relays.items():
            price = ",price=4.5,cap=50GB/month" if name == "lte" else ""
            paths += ["--path", f"{name}=127.0.0.1>127.0.0.1:{relay.port}{price}"]
        self.forward = Program(
            "forward", "--state", here / "van", f"tcp:0=127.0.0.1:{self.echo.port}", "socks:0",
            "--policy", "round-robin", *paths, "--http", "127.0.0.1:0", *forward_words)
        self.port = int(self.forward.until(r"tcp: listening on 127\.0\.0\.1:(\d+)")[1])
        self.socks = int(self.forward.until(r"socks: listening on 127\.0\.0\.1:(\d+)")[1])
        self.forward.until("connected over 2 paths")
        self.is_busy = True
        threading.Thread(target=self.load, daemon=True).start()

    def load(self):
        """Keeps both paths busy: 40 kB to the echo and back, fifty times a second."""
        data = bytes(40_000)
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)) as one:
            while self.is_busy:
                one.sendall(data)
                left = len(data)
                while left > 0:
                    piece = one.recv(65536)
                    if not piece:
                        return
                    left -= len(piece)
                time.sleep(0.02)

    def control(self, *words):
        """Changes the forward."""
        return run("control", "--state", Path(self.folder.name) / "van", *words)

    def status(self):
        return json.loads(get(self.forward.watched(), "/status"))["processes"][0]

    def close(self):
        self.is_busy = False
        self.forward.end()
        self.server.end()
        self.echo.shutdown()
        self.folder.cleanup()
