"""What the scripts of this folder share: where the command and the recorded networks are, and draws."""
import csv
import functools
import math
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATHWISE = os.environ.get("PATHWISE", str(ROOT / ".build/release/pathwise"))
TRACES = pathlib.Path(os.environ.get("TRACES", ROOT.parent / "shared/traces"))


def log_uniform(draw, low, high):
    return math.exp(draw.uniform(math.log(low), math.log(high)))


@functools.lru_cache(None)
def drives():
    """The drive with three operators: by day and slot of 200 ms, {operator: round trip or None}."""
    days = {}
    for file in sorted((TRACES / "pam2025_multicarrier").glob("*.csv")):
        day, operator = file.stem.rsplit("_", 1)
        table = days.setdefault(day, {})
        for row in csv.DictReader(open(file)):
            at = int(row["session_start_unix_ms"]) + 1e3 * float(row["send_offset_s"])
            table.setdefault(round(at / 200), {}).setdefault(
                operator, float(row["rtt_ms"]) if row["rtt_ms"] else None)
    return days
