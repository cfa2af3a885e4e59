"""Recordings of Pathwise as data frames and Parquet, and training over Apache Spark.

>>> from pathwise_data import read_trace
>>> trace = read_trace("run.trace")
>>> trace.decision_outcomes().groupby("path_name")["late"].mean()
"""

from .errors import (
    CommandError,
    DamagedTrace,
    NotATrace,
    OtherVersion,
    PathwiseError,
    TraceError,
)
from .trace.frames import Decisions
from .trace.parquet import to_parquet
from .trace.reader import Schema, Trace, read_decisions, read_trace
from .version import VERSION as __version__

__all__ = [
    "CommandError",
    "DamagedTrace",
    "Decisions",
    "NotATrace",
    "OtherVersion",
    "PathwiseError",
    "Schema",
    "Trace",
    "TraceError",
    "__version__",
    "read_decisions",
    "read_trace",
    "to_parquet",
]
