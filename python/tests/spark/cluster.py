"""A real standalone cluster on loopback: a master and workers, each a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pyspark

QUICK_START = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """Starts a master and workers of one core each, at 127.0.0.2, 127.0.0.3 and so on.

    :param folder: where logs and the workers' files go.
    :param workers: how many there are.
    """

    def __init__(self, folder: Path, workers: int) -> None:
        self._folder = folder
        self._ui = free_port()
        self.url = f"spark://127.0.0.1:{free_port()}"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        port = self.url.rsplit(":", 1)[1]
        self._start("master", "master.Master", "127.0.0.1", "--port", port)
        self.hosts = [f"127.0.0.{2 + number}" for number in range(workers)]
        try:
            self._start_workers()
            self.wait_for(workers)
        except BaseException:
            self.stop()
            raise

    def _start_workers(self) -> None:
        for host in self.hosts:
            self._start(host, "worker.Worker", host, "--cores", "1", "--memory", "700m",
                        "--work-dir", str(self._folder / host), self.url)  # fmt: skip

    def _start(self, name: str, kind: str, host: str, *arguments: str) -> None:
        home = Path(pyspark.__file__).parent
        environment = {
            **os.environ,
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": host,
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": QUICK_START,
            "PYSPARK_PYTHON": sys.executable,
            "PATHWISE_TEST_WORKER": name,
        }
        ui = str(self._ui if name == "master" else 0)
        words = [home / "bin/spark-class", f"org.apache.spark.deploy.{kind}", "--host", host,
                 "--webui-port", ui, *arguments]  # fmt: skip
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                words, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def alive(self) -> int:
        """How many workers the master knows and hears."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._ui}/json/", timeout=5) as page:
                return int(json.load(page)["aliveworkers"])
        except OSError:
            return 0

    def wait_for(self, workers: int) -> None:
        """Waits until so many workers are alive."""
        end = time.monotonic() + 300
        while self.alive() != workers:
            for name, process in self._processes.items():
                if process.poll() is not None:
                    log = (self._folder / f"{name}.log").read_text()[-2000:]
                    raise RuntimeError(f"{name} ended: {log}")
            if time.monotonic() > end:
                raise RuntimeError(f"{self.alive()} of {workers} workers after five minutes")
            time.sleep(0.2)

    def kill(self, host: str) -> None:
        """Kills a worker and its executors, as a power cut does."""
        process = self._processes.pop(host)
        for group in {process.pid, *self._executors(host)}:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        process.wait()

    def _executors(self, host: str) -> list[int]:
        """Groups of processes that inherited the worker's name."""
        mark = f"PATHWISE_TEST_WORKER={host}".encode()
        groups = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    groups.append(os.getpgid(int(entry.name)))
        return groups

    def stop(self) -> None:
        """Ends all processes."""
        for name in list(self._processes):
            self.kill(name)
