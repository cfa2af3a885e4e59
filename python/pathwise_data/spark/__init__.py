"""Training over Apache Spark; needs `pyspark` (pip install 'pathwise-data[spark]') and Java 17."""

from .job import train
from .places import Place, parse_place

__all__ = ["Place", "parse_place", "train"]
