#!/usr/bin/env python3
"""Sends what schemathesis makes of /openapi.json to a real serve and forward: api.py [--requests N].

Every answer has to be as described; without the token nothing may be answered; and after all of it both programs
run, carry traffic, and have not grown. Run it with the Python of schemathesis (`make api-test`). PATHWISE names the
binary. As root it runs the programs as `nobody`, as random names of recordings are names of files.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BINARY = Path(os.environ.get("PATHWISE", ".build/release/pathwise")).resolve()
TOOL = Path(sys.executable).parent / "schemathesis"
# What a schema allows may still be refused: not every text is a path. That is answered with 422, as described.
LEFT_OUT = "positive_data_acceptance"
# A body that is too long, or of another type, is refused as such.
SETTINGS = "[checks]\nnegative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 411, 413, 414, 415, 422]\n"


def prepare():
    """A folder of its own, in which the programs run; as `nobody` if this is root."""
    folder = Path(tempfile.mkdtemp(prefix="pathwise-api-"))
    own = folder / "pathwise"
    shutil.copy(BINARY, folder / "program")
    become = "setpriv --reuid=65534 --regid=65534 --clear-groups " if os.geteuid() == 0 else ""
    own.write_text(f'#!/bin/sh\nexec {become}{folder}/program "$@"\n')
    own.chmod(0o755)
    if become:
        os.chown(folder, 65534, 65534)
    os.environ.update(HOME=str(folder), TMPDIR=str(folder), PATHWISE=str(own))
    tempfile.tempdir = str(folder)
    os.chdir(folder)
    Path("settings.toml").write_text(SETTINGS)
    return folder


def once(port, token, examples, seed):
    """One run; returns the number of requests, and what was wrong."""
    done = subprocess.run(
        [TOOL, "--config-file", "settings.toml", "run", f"http://127.0.0.1:{port}/openapi.json", "--url", f"http://127.0.0.1:{port}",
         "-H", f"Authorization: Bearer {token}", "--exclude-path", "/events",
         "--checks", "all", "--exclude-checks", LEFT_OUT, "--phases", "examples,coverage,fuzzing",
         "--max-examples", str(examples), "--seed", str(seed), "--suppress-health-check", "all",
         "--request-timeout", "70", "--no-color", "--generation-database", "none", "--continue-on-failure"],
        capture_output=True, text=True)
    cases = re.search(r"(\d+) generated", done.stdout)
    return int(cases[1]) if cases else 0, done.returncode, done.stdout + done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    folder = prepare()
    from programs import Pair, get  # after the binary has its full name

    tokens = {name: folder / f"{name}.token" for name in ("server", "forward")}
    pair = Pair(("--http-token", tokens["server"]), ("--http-token", tokens["forward"]))
    problems = []
    try:
        programs = {"server": pair.server, "forward": pair.forward}
        ports = {name: program.watched() for name, program in programs.items()}
        secrets = {name: path.read_text().strip() for name, path in tokens.items()}
        # What the first requests of each program take stays.
        for name in programs:
            once(ports[name], secrets[name], 2, 0)
        before = {name: program.resident() for name, program in programs.items()}
        total, seed, start = 0, arguments.seed, time.monotonic()
        examples = max(5, min(500, arguments.requests // 60))
        while total < arguments.requests and not problems:
            for name in programs:
                count, code, text = once(ports[name], secrets[name], examples, seed)
                total += count
                if code != 0 or count == 0:
                    problems.append(f"{name}, seed {seed}")
                    print(text, flush=True)
            seed += 1
            print(f"{total} requests, {time.monotonic() - start:.0f} s", flush=True)
        for name, program in programs.items():
            if program.process.poll() is not None:
                problems.append(f"{name} has ended")
                print(*program.lines[-20:])
                continue
            grown = (program.resident() - before[name]) / 1e6
            changes = sum("refused, and nothing has changed" not in line for line in program.lines)
            print(f"{name}: {grown:+.1f} MB, {changes} of its last {len(program.lines)} lines are changes or events")
            if grown > 30:
                problems.append(f"{name} has grown by {grown:.1f} MB")
            if b"processes" not in get(ports[name], "/status", secrets[name]):
                problems.append(f"{name} has no status")
        status = json.loads(get(ports["forward"], "/status", secrets["forward"]))
        if status["processes"][0]["connection"]["state"] != "connected":
            problems.append("the forward has lost its session")
    finally:
        pair.close()
    os.chdir("/")
    shutil.rmtree(folder, ignore_errors=True)
    print("FAIL" if problems else "ok  ", f"{total} requests to two programs", *problems)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    sys.exit(main())
