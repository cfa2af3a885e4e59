"""Training and evaluation over Apache Spark; needs `pyspark` (pip install 'pathwise-data[spark]') and Java 17."""

from .job import evaluate, train
from .places import Place, parse_place

__all__ = ["Place", "evaluate", "parse_place", "train"]
